/**
 * Generates the TypeScript types of our resources from the CRDs:
 * `node scripts/generate-types.ts [--check]` writes `operator/resources/generated/*.ts`.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { compile } from 'json-schema-to-typescript';
import { type Crd, kebab, readCrds, root, type Schema, writeOrCheck } from './crds.ts';

type CompilerInput = Parameters<typeof compile>[0];

/** Names for object types where the name of the field alone says too little, by how the path ends. */
const typeNames: Record<string, string> = {
  HeaderModifier: 'HeaderModifier',
  'Modifier.add[]': 'Header',
  'Modifier.set[]': 'Header',
  'EdgeGateway.spec.listeners[].tls': 'ListenerTls',
  'EdgeGateway.status.listeners[]': 'ListenerStatus',
  'BackendPool.spec.tls': 'BackendTls',
  'BackendPool.status.targets': 'TargetCounts',
  'FirewallRuleList.status.ancestors[]': 'AncestorStatus',
  'addresses[]': 'Address',
  'affinity.cookie': 'AffinityCookie',
  'backends[].filters[]': 'BackendFilter',
  'jwks.secretRef': 'JwksSecretRef',
  'jwt.from[]': 'TokenSource',
  'keys.secretRef': 'JwtSecretRef',
  'match.headers[]': 'HeaderMatch',
  'match.paths[]': 'PathMatch',
  'match.queryParams[]': 'QueryParamMatch',
  'probe.headers[]': 'Header',
  'probe.match': 'ProbeMatch',
  'providers[]': 'JwtProvider',
  'providers[].keys': 'JwtKeys',
  'requestMirror.backend': 'PoolRef',
  'requestRedirect.path': 'PathModifier',
  'routes[].backend': 'PoolRef',
  'routes[].backends[]': 'WeightedBackend',
  'routes[].filters[]': 'RouteFilter',
  'routes[].match': 'RouteMatch',
  'spec.webSocket': 'WebSocketSettings',
  'urlRewrite.path': 'PathModifier',
};

async function typesOf(crd: Crd): Promise<string> {
  const definitions = new Map<string, Schema>();
  const main: Record<string, unknown> = {};
  for (const section of ['spec', 'status']) {
    const name = `${crd.kind}${pascal(section)}`;
    main[section] = hoist(crd.schema.properties![section]!, `${crd.kind}.${section}`, name, definitions);
  }
  const schema = {
    title: `${crd.kind}Sections`,
    description: `The parts of ${/^[AEIOU]/.test(crd.kind) ? 'an' : 'a'} ${crd.kind} besides its metadata.`,
    type: 'object',
    required: ['spec'],
    properties: main,
    definitions: Object.fromEntries(definitions),
  };
  return await compile(schema as unknown as CompilerInput, `${crd.kind}Sections`, {
    additionalProperties: false,
    bannerComment: `// Generated from crds/${crd.file} by scripts/generate-types.ts. Do not edit.`,
    ignoreMinAndMaxItems: true,
    style: { singleQuote: true, printWidth: 110 },
  });
}

/**
 * Replaces every object schema by a reference to a definition of its own, so that it becomes a named type;
 * objects of the same shape share one.
 */
function hoist(schema: Schema, path: string, name: string, definitions: Map<string, Schema>): unknown {
  const { 'x-kubernetes-validations': _rules, 'x-kubernetes-int-or-string': _, ...plain } = schema;
  if (schema.items) {
    return { ...plain, items: hoist(schema.items, `${path}[]`, singular(name), definitions) };
  }
  if (schema.additionalProperties) {
    return {
      ...plain,
      additionalProperties: hoist(schema.additionalProperties, `${path}{}`, name, definitions),
    };
  }
  if (schema['x-kubernetes-preserve-unknown-fields']) return { ...plain, additionalProperties: true };
  if (!schema.properties) return plain;
  const properties = Object.fromEntries(
    Object.entries(schema.properties).map(([key, child]) => [
      key,
      hoist(child, `${path}.${key}`, pascal(key), definitions),
    ]),
  );
  const definition = { ...plain, properties } as Schema;
  const suffix = Object.keys(typeNames).find((ending) => path.endsWith(ending));
  const typeName = suffix ? typeNames[suffix]! : name;
  const known = definitions.get(typeName);
  if (known && !isDeepStrictEqual(withoutDescription(known), withoutDescription(definition))) {
    throw new Error(
      `two different objects would be named ${typeName}: give ${path} another name in typeNames`,
    );
  }
  if (!known) definitions.set(typeName, definition);
  return { $ref: `#/definitions/${typeName}` };
}

function withoutDescription({ description: _, ...rest }: Schema): Schema {
  return rest;
}

function pascal(name: string): string {
  return name[0]!.toUpperCase() + name.slice(1);
}

function singular(name: string): string {
  return name.endsWith('s') ? name.slice(0, -1) : name;
}

const files = new Map<string, string>();
for (const crd of readCrds()) {
  files.set(join(root, 'operator/resources/generated', `${kebab(crd.kind)}.ts`), await typesOf(crd));
}
writeOrCheck(files, 'node scripts/generate-types.ts');
