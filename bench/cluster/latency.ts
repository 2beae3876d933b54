/** From `kubectl apply` to the last pod that serves it. */
import type { Cluster } from '../../test/cluster/cluster.ts';
import { GATEWAY, PORT, startFleetGateway } from '../../test/cluster/e2e/fleet-gateway.ts';
import { get } from '../../test/cluster/e2e/http.ts';
import { PodLog } from '../../test/cluster/e2e/pod-log.ts';
import { PodReports } from './pod-reports.ts';
import { percentile, type Section, tableOf } from './results.ts';

const PODS = 3;
const CHANGES = 100;

export async function measureLatency(cluster: Cluster, quick: boolean): Promise<Section> {
  await using namespace = await cluster.namespace('latency');
  await startFleetGateway(cluster, namespace.name, { replicas: PODS });
  await using pods = await PodLog.follow(cluster, namespace.name, GATEWAY);
  const addresses = pods.addresses();
  await using reports = await PodReports.follow(cluster, addresses);
  const total: number[] = [];
  const afterKubectl: number[] = [];
  for (let change = 1; change <= (quick ? 10 : CHANGES); change++) {
    const host = `v${change}.example`;
    const served = reports.nextSnapshot();
    const startMs = performance.now();
    await cluster.applyObjects([poolWith(host)], namespace.name);
    const appliedMs = performance.now();
    const servedMs = await served;
    total.push(servedMs - startMs);
    afterKubectl.push(Math.max(0, servedMs - appliedMs));
    // What the pods report is what requests get.
    for (const address of addresses) {
      const { body } = await get(cluster, address, PORT, '/open');
      if (!body.endsWith(` ${host}\n`))
        throw new Error(`${address} reports a snapshot that it does not serve`);
    }
  }
  const row = (name: string, values: readonly number[]): (string | number)[] => [
    name,
    ...[0.5, 0.99, 1].map((share) => percentile(values, share).toFixed(0)),
  ];
  return {
    title: 'From `kubectl apply` to the last pod serving it',
    words: `${total.length} changes of a pool, one after the other, of a gateway with ${PODS} pods. Each pod reports what it serves; a request to each confirms it.`,
    table: tableOf(
      ['milliseconds', 'p50', 'p99', 'largest'],
      [row('since `kubectl apply` was started', total), row('since `kubectl apply` had ended', afterKubectl)],
    ),
  };
}

function poolWith(host: string): object {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'BackendPool',
    metadata: { name: 'echo' },
    spec: {
      targets: [{ serviceRef: { name: 'echo', port: 80 } }],
      hostHeader: { from: 'Override', value: host },
    },
  };
}
