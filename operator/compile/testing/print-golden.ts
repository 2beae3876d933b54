import { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { printableSnapshot } from '../../../proxy/config/encoding.ts';
import { loadResources } from '../../resources/index.ts';
import { compile } from '../compile.ts';

type Fields = Record<string, unknown>;

const PEM = /(-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?)+/g;
const ONE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** A gateway, a route and a pool that say nothing but what they must: what differs from it is worth reading. */
const PLAIN = `
apiVersion: sluice.dev/v1alpha1
kind: EdgeGateway
metadata: {name: plain}
spec:
  listeners: [{name: web, protocol: HTTP, port: 80}]
  routes: [{name: all, backend: {pool: plain}}]
---
apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: plain}
spec: {targets: [{ip: 127.0.0.1, port: 80}]}
`;

const ALWAYS_SHOWN = new Set(['id', 'pool', 'protocol', 'targets', 'backends']);

/**
 * Snapshots as YAML, without secrets, and with certificates by name. Unless `full`, settings, pools and rules
 * show what differs from the defaults only.
 */
export function printGolden(snapshots: readonly unknown[], full: boolean): string {
  const printable = snapshots.map((snapshot) => printableSnapshot(snapshot as never) as Fields);
  const shown = full ? printable : printable.map(withoutDefaults);
  return shown
    .map((snapshot) => `---\n${stringify(shorten(snapshot), { lineWidth: 0, aliasDuplicateObjects: false })}`)
    .join('');
}

function withoutDefaults(snapshot: Fields): Fields {
  const { snapshots } = compile({ resources: loadResources(PLAIN, 'plain.yaml').resources, now: 0 });
  const plain = printableSnapshot(snapshots[0] as never) as {
    settings: Fields;
    pools: [Fields];
    rules: [Fields & { backends: [Fields] }];
    ports: [{ listeners: [Fields] }];
  };
  const [pool] = plain.pools;
  const [rule] = plain.rules;
  const [backend] = rule.backends;
  const { settings, pools, rules } = snapshot as { settings: Fields; pools: Fields[]; rules: Fields[] };
  return {
    ...snapshot,
    settings: differences(settings, plain.settings),
    pools: pools.map((each) => differences(each, pool)),
    rules: rules.map((each) => {
      const backends = (each.backends as Fields[]).map((one) => differences(one, backend));
      return differences({ ...each, backends }, rule);
    }),
  };
}

/** The fields that are not as in `plain`, also within objects. */
function differences(value: Fields, plain: Fields): Fields {
  const result: Fields = {};
  for (const [key, entry] of Object.entries(value)) {
    const other = plain[key];
    if (ALWAYS_SHOWN.has(key)) result[key] = entry;
    else if (isDeepStrictEqual(entry, other)) continue;
    else result[key] = isFields(entry) && isFields(other) ? differences(entry, other) : entry;
  }
  return result;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shorten(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replace(PEM, (chain) => {
      const subjects = (chain.match(ONE) ?? []).map((pem) => new X509Certificate(pem).subject);
      return `[${subjects.join(', ')}]`;
    });
  }
  if (Array.isArray(value)) return value.map(shorten);
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, shorten(entry)]));
}
