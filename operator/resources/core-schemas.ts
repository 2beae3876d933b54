/** Schemas of what Kubernetes itself defines, in the dialect of our CRDs. */
import type { Schema } from './schemas.ts';

export const subdomain = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';
export const label = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
const labelValue = '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$';

const text: Schema = { description: 'A string.', type: 'string' };
/** Written by the API server; a file may carry them after `kubectl get -o yaml`. */
export const written: Schema = { 'x-kubernetes-preserve-unknown-fields': true };

export const metadataSchema: Schema = {
  description: 'Standard Kubernetes metadata. An object.',
  type: 'object',
  required: ['name'],
  properties: {
    name: {
      description:
        'The name of the object. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.',
      type: 'string',
      minLength: 1,
      maxLength: 253,
      pattern: subdomain,
    },
    namespace: {
      description:
        'The namespace of the object. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.',
      type: 'string',
      minLength: 1,
      maxLength: 63,
      pattern: label,
    },
    labels: {
      description: 'The labels of the object.',
      type: 'object',
      additionalProperties: {
        description:
          'The value of the label. A label value (letters, digits, -, _ and .) of up to 63 characters.',
        type: 'string',
        maxLength: 63,
        pattern: labelValue,
      },
    },
    annotations: {
      description: 'The annotations of the object.',
      type: 'object',
      additionalProperties: text,
    },
    finalizers: { description: 'Who must act before deletion.', type: 'array', items: text },
    generateName: text,
    creationTimestamp: written,
    deletionGracePeriodSeconds: written,
    deletionTimestamp: written,
    generation: written,
    managedFields: written,
    ownerReferences: written,
    resourceVersion: written,
    selfLink: written,
    uid: written,
  },
};

const base64: Schema = { description: 'A base64 text.', type: 'string', 'x-base64': true };
export const apiVersion: Schema = { description: 'The version of the kind.', type: 'string' };
export const kind: Schema = { description: 'The kind of the object.', type: 'string' };
const immutable: Schema = {
  description: 'Whether the data may not change any more. A boolean.',
  type: 'boolean',
};

export const secretSchema: Schema = {
  description: 'A Secret.',
  type: 'object',
  properties: {
    apiVersion,
    kind,
    metadata: metadataSchema,
    type: { description: 'What the Secret is for, such as kubernetes.io/tls. A string.', type: 'string' },
    immutable,
    data: { description: 'Values in base64, by key.', type: 'object', additionalProperties: base64 },
    stringData: { description: 'Values as they are, by key.', type: 'object', additionalProperties: text },
  },
};

export const configMapSchema: Schema = {
  description: 'A ConfigMap.',
  type: 'object',
  properties: {
    apiVersion,
    kind,
    metadata: metadataSchema,
    immutable,
    data: { description: 'Values as they are, by key.', type: 'object', additionalProperties: text },
    binaryData: { description: 'Values in base64, by key.', type: 'object', additionalProperties: base64 },
  },
};

/** Only what is read: the rest of a Service is for others. */
export const serviceSchema: Schema = {
  description: 'A Service.',
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  properties: {
    apiVersion,
    kind,
    metadata: metadataSchema,
    spec: {
      description: 'What the Service is.',
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: {
        type: {
          description: 'How the Service is published.',
          type: 'string',
          enum: ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'],
        },
        externalName: text,
        ports: {
          description: 'The ports of the Service.',
          type: 'array',
          items: {
            description: 'A port.',
            type: 'object',
            required: ['port'],
            'x-kubernetes-preserve-unknown-fields': true,
            properties: {
              name: text,
              port: { description: 'The number of the port.', type: 'integer', minimum: 1, maximum: 65535 },
              protocol: {
                description: 'The transport protocol.',
                type: 'string',
                enum: ['TCP', 'UDP', 'SCTP'],
              },
              appProtocol: text,
            },
          },
        },
      },
    },
  },
};
