/** Schemas of the kinds of the Gateway API that are read, in the dialect of our CRDs. */
import { apiVersion, kind, label, metadataSchema, subdomain, written } from './core-schemas.ts';
import type { Schema } from './schemas.ts';

const group: Schema = {
  description: 'An API group; empty for the core one. A DNS subdomain of up to 253 characters.',
  type: 'string',
  maxLength: 253,
  pattern: `^$|${subdomain}`,
};
const kindName: Schema = {
  description: 'A kind. A name of 1 to 63 letters, digits and -.',
  type: 'string',
  minLength: 1,
  maxLength: 63,
  pattern: '^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$',
};

export const referenceGrantSchema: Schema = {
  description: 'A ReferenceGrant.',
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion,
    kind,
    metadata: metadataSchema,
    spec: {
      description: 'Which references from other namespaces are allowed.',
      type: 'object',
      required: ['from', 'to'],
      properties: {
        from: {
          description: 'What may refer.',
          type: 'array',
          minItems: 1,
          maxItems: 16,
          items: {
            description: 'A kind of object in a namespace.',
            type: 'object',
            required: ['group', 'kind', 'namespace'],
            properties: {
              group,
              kind: kindName,
              namespace: {
                description:
                  'A namespace. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.',
                type: 'string',
                minLength: 1,
                maxLength: 63,
                pattern: label,
              },
            },
          },
        },
        to: {
          description: 'What may be referred to.',
          type: 'array',
          minItems: 1,
          maxItems: 16,
          items: {
            description: 'A kind of object in the namespace of the grant.',
            type: 'object',
            required: ['group', 'kind'],
            properties: {
              group,
              kind: kindName,
              name: {
                description: 'The one object that is meant. A name of 1 to 253 characters.',
                type: 'string',
                minLength: 1,
                maxLength: 253,
              },
            },
          },
        },
      },
    },
    status: written,
  },
};
