/**
 * Schemas of Ingress and IngressClass in the dialect of our CRDs, with rules for what the API server checks in
 * code.
 */
import { apiVersion, kind, label, metadataSchema, subdomain, written } from './core-schemas.ts';
import type { Schema } from './schemas.ts';

const subdomainName = (description: string): Schema => ({
  description: `${description} A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.`,
  type: 'string',
  minLength: 1,
  maxLength: 253,
  pattern: subdomain,
});

const apiGroup: Schema = {
  description: 'The API group of the object; empty for the core one. A string.',
  type: 'string',
};
const kindName: Schema = {
  description: 'The kind of the object. A string that is not empty.',
  type: 'string',
  minLength: 1,
};
const objectName: Schema = {
  description: 'The name of the object. A string that is not empty.',
  type: 'string',
  minLength: 1,
};

const host: Schema = {
  description:
    'A host name; *. may stand for its first label. A DNS name in lower case of up to 253 characters, without port.',
  type: 'string',
  maxLength: 253,
  pattern: `^$|^(\\*\\.)?${subdomain.slice(1)}`,
  'x-kubernetes-validations': [{ rule: '!isIP(self)', message: 'must be a DNS name, not an IP address' }],
};

const backend: Schema = {
  description: 'Where requests go.',
  type: 'object',
  properties: {
    service: {
      description: 'A Service in the namespace of the Ingress.',
      type: 'object',
      required: ['name', 'port'],
      properties: {
        name: {
          description:
            'The name of the Service. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.',
          type: 'string',
          minLength: 1,
          maxLength: 63,
          pattern: label,
        },
        port: {
          description: 'A port of the Service.',
          type: 'object',
          properties: {
            name: {
              description:
                'The name of the port. A name of 1 to 15 characters (lower-case letters, digits and -).',
              type: 'string',
              minLength: 1,
              maxLength: 15,
              pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
            },
            number: { description: 'The number of the port.', type: 'integer', minimum: 1, maximum: 65535 },
          },
          'x-kubernetes-validations': [
            {
              rule: 'has(self.name) != has(self.number)',
              message: 'exactly one of name and number must be set',
            },
          ],
        },
      },
    },
    resource: {
      description: 'An object in the namespace of the Ingress.',
      type: 'object',
      required: ['kind', 'name'],
      properties: { apiGroup, kind: kindName, name: objectName },
    },
  },
  'x-kubernetes-validations': [
    {
      rule: 'has(self.service) != has(self.resource)',
      message: 'exactly one of service and resource must be set',
    },
  ],
};

const httpPath: Schema = {
  description: 'Which requests go where.',
  type: 'object',
  required: ['pathType', 'backend'],
  properties: {
    path: { description: 'The path. A text that begins with /.', type: 'string' },
    pathType: {
      description: 'How the path is compared.',
      type: 'string',
      enum: ['Exact', 'Prefix', 'ImplementationSpecific'],
    },
    backend,
  },
  'x-kubernetes-validations': [
    {
      rule: "self.pathType == 'ImplementationSpecific' || has(self.path) && self.path.startsWith('/')",
      message: 'path must begin with / when pathType is Exact or Prefix',
      fieldPath: '.path',
    },
    {
      rule: "self.pathType != 'ImplementationSpecific' || !has(self.path) || self.path == '' || self.path.startsWith('/')",
      message: 'path must begin with /',
      fieldPath: '.path',
    },
    {
      rule: "self.pathType == 'ImplementationSpecific' || !has(self.path) || !(self.path.contains('//') || self.path.contains('/./') || self.path.contains('/../') || self.path.contains('%2f') || self.path.contains('%2F') || self.path.endsWith('/.') || self.path.endsWith('/..'))",
      message: 'path must have no //, /./, /../ and no %2f when pathType is Exact or Prefix',
      fieldPath: '.path',
    },
  ],
};

export const ingressSchema: Schema = {
  description: 'An Ingress.',
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion,
    kind,
    metadata: metadataSchema,
    spec: {
      description: 'What is served.',
      type: 'object',
      properties: {
        ingressClassName: subdomainName('The IngressClass.'),
        defaultBackend: backend,
        tls: {
          description: 'Certificates.',
          type: 'array',
          items: {
            description: 'A certificate and its hosts.',
            type: 'object',
            properties: {
              hosts: { description: 'The hosts that have it.', type: 'array', items: host },
              secretName: subdomainName('The Secret that holds it.'),
            },
          },
        },
        rules: {
          description: 'Where requests go, by host.',
          type: 'array',
          items: {
            description: 'Where the requests of a host go.',
            type: 'object',
            properties: {
              host,
              http: {
                description: 'Where they go, by path.',
                type: 'object',
                required: ['paths'],
                properties: {
                  paths: {
                    description: 'Where they go, by path.',
                    type: 'array',
                    minItems: 1,
                    items: httpPath,
                  },
                },
              },
            },
          },
        },
      },
      'x-kubernetes-validations': [
        {
          rule: 'has(self.defaultBackend) || has(self.rules) && size(self.rules) > 0',
          message: 'defaultBackend or rules must be set',
        },
      ],
    },
    status: written,
  },
};

export const ingressClassSchema: Schema = {
  description: 'An IngressClass.',
  type: 'object',
  properties: {
    apiVersion,
    kind,
    metadata: metadataSchema,
    spec: {
      description: 'Who serves the class.',
      type: 'object',
      properties: {
        controller: {
          description:
            'The controller that serves the class. A domain, a slash and a path of up to 250 characters, such as sluice.dev/gateway-controller.',
          type: 'string',
          maxLength: 250,
          pattern: `${subdomain.slice(0, -1)}/[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+$`,
        },
        parameters: {
          description: 'What the controller needs to know.',
          type: 'object',
          required: ['kind', 'name'],
          properties: {
            apiGroup,
            kind: kindName,
            name: objectName,
            scope: {
              description: 'Whether the object has a namespace.',
              type: 'string',
              enum: ['Cluster', 'Namespace'],
            },
            namespace: {
              description:
                'The namespace of the object. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.',
              type: 'string',
              minLength: 1,
              maxLength: 63,
              pattern: label,
            },
          },
          'x-kubernetes-validations': [
            {
              rule: "(has(self.scope) && self.scope == 'Namespace') == has(self.namespace)",
              message: 'namespace must be set when scope is Namespace, and only then',
              fieldPath: '.namespace',
            },
          ],
        },
      },
    },
  },
};
