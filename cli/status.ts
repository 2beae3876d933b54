import type { KubernetesObject, Transport } from '../kubernetes/index.ts';
import { Listing } from '../kubernetes/listing.ts';
import { READ_TYPES } from '../operator/sources/cluster/types.ts';
import { type ClusterOptions, ClusterUnreadableError, withCluster } from './read-cluster.ts';
import { type ShownObject, summarize } from './status-summary.ts';

export interface StatusOptions extends ClusterOptions {
  readonly output: 'text' | 'json';
}

const KINDS = ['EdgeGateway', 'BackendPool', 'FirewallRuleList'] as const;

/** `sluice status`: what objects say of themselves. @returns 0 when all is well, 1 when something is not */
export async function status(options: StatusOptions): Promise<number> {
  let objects: KubernetesObject[];
  try {
    objects = await withCluster(options, (transport) => listAll(transport, options.namespace));
  } catch (error) {
    if (!(error instanceof ClusterUnreadableError)) throw error;
    console.error(error.message);
    return 1;
  }
  const shown = objects.map(summarize);
  if (options.output === 'json') console.log(JSON.stringify(shown, null, 2));
  else if (shown.length === 0) console.log('found no EdgeGateway, BackendPool or FirewallRuleList');
  else process.stdout.write(shown.map(textOf).join(''));
  return shown.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

async function listAll(transport: Transport, namespaces?: readonly string[]): Promise<KubernetesObject[]> {
  const objects: KubernetesObject[] = [];
  for (const kind of KINDS) {
    for (const namespace of namespaces ?? [undefined]) {
      const selection = { type: READ_TYPES[kind], ...(namespace !== undefined && { namespace }) };
      const listing = new Listing(transport, selection, { keepManagedFields: false });
      const never = new AbortController().signal;
      while (!(await listing.next(never)));
      objects.push(...listing.objects);
    }
  }
  return objects.sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1));
}

/** By namespace and name first, so that what belongs together stands together. */
function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${metadata.namespace} ${metadata.name} ${(KINDS as readonly string[]).indexOf(kind)}`;
}

function textOf({ object, summary, problems }: ShownObject): string {
  const mark = problems.length === 0 ? '✓' : '✗';
  return [`${mark} ${object}  ${summary}`, ...problems.map((problem) => `    ${problem}`)]
    .map((line) => `${line}\n`)
    .join('');
}
