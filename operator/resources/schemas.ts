/** The schemas that resources are checked against: those of the CRDs as they stand, and those of the core kinds. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { configMapSchema, metadataSchema, secretSchema, serviceSchema } from './core-schemas.ts';
import { referenceGrantSchema } from './gateway-api-schemas.ts';
import { ingressClassSchema, ingressSchema } from './ingress-schemas.ts';
import type { Kind } from './types.ts';

/** The part of a structural schema (OpenAPI v3 as Kubernetes uses it) that our CRDs use. */
export interface Schema {
  description?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  enum?: (string | number)[];
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  anyOf?: Schema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  nullable?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: Rule[];
  /** Not of Kubernetes: the text must be base64. */
  'x-base64'?: boolean;
}

/** A CEL rule. */
export interface Rule {
  rule: string;
  message: string;
  fieldPath?: string;
  reason?: string;
}

interface CrdDocument {
  spec: { names: { kind: Kind }; versions: { schema: { openAPIV3Schema: Schema } }[] };
}

let schemas: Map<Kind, Schema> | undefined;

/** Read from `crds/` at the first call. */
export function schemaOf(kind: Kind): Schema {
  schemas ??= readSchemas();
  return schemas.get(kind)!;
}

function readSchemas(): Map<Kind, Schema> {
  const folder = join(import.meta.dirname, '../../crds');
  const read = new Map<Kind, Schema>([
    ['Secret', secretSchema],
    ['ConfigMap', configMapSchema],
    ['Service', serviceSchema],
    ['Ingress', ingressSchema],
    ['IngressClass', ingressClassSchema],
    ['ReferenceGrant', referenceGrantSchema],
  ]);
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const { spec } = parse(readFileSync(join(folder, file), 'utf8')) as CrdDocument;
    const schema = spec.versions[0]!.schema.openAPIV3Schema;
    schema.properties!.metadata = metadataSchema;
    read.set(spec.names.kind, schema);
  }
  return read;
}
