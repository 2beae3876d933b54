/** Starting the cluster of this checkout, and ending it so that nothing of it is left. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/until.ts';
import { ApiClient, type KubernetesObject } from './api.ts';
import { build } from './build.ts';
import { cgroupHierarchies, removeCgroups } from './cgroups.ts';
import { program } from './components.ts';
import { type ControlPlaneProgram, startControlPlane } from './control-plane.ts';
import { FORWARDER_SOCKET } from './dial.ts';
import { dnsImage, dnsObjects } from './dns.ts';
import { withLock } from './lock.ts';
import { ClusterNode } from './node.ts';
import { importImage, startContainerd, startKubelet, startKubeProxy } from './node-programs.ts';
import { cacheFolder, cgroupRoot, clusterId, runFolder } from './paths.ts';
import { createPki, MAX_NODES } from './pki.ts';
import { missing } from './requirements.ts';

type Say = (line: string) => void;

const START_TIMEOUT_MS = 120_000;
const READY = join(runFolder, 'ready');

/** All nodes that there may be. */
const nodes = Array.from({ length: MAX_NODES }, (_, index) => new ClusterNode(index + 1));

/** Whether there is a cluster to use: one that was left half started, or whose owner is gone, is none. */
export function isRunning(): boolean {
  if (!existsSync(READY) || nodes[0]!.holder() === null) return false;
  const owner = readFileSync(READY, 'utf8');
  return owner === NOBODY || owner === identityOf(Number(owner.split(' ')[0]));
}

/** The cluster stays until `down`. */
const NOBODY = '';

/** The process of this number, told apart from others that had or will have it; `null` when there is none. */
function identityOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, which may hold blanks, ends with a parenthesis; 19 fields later is the start time.
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return null;
  }
}

/** The nodes that run, the first one with the control plane. */
export function runningNodes(): ClusterNode[] {
  return nodes.filter((node) => node.holder() !== null);
}

/**
 * Starts the cluster, and resolves when pods run in it and find each other's names. Does nothing when it runs;
 * clears away first what an earlier one left that was cut off.
 *
 * @param lifetime `process`: it is this process's, and once that is gone, the next `up` starts another one.
 * @returns whether this call started it.
 */
export async function up(say: Say, lifetime: 'process' | 'until down' = 'until down'): Promise<boolean> {
  const lacks = missing();
  if (lacks.length > 0) throw new Error(`the cluster needs ${lacks.join('; ')}`);
  checkFolders();
  await build(say);
  return exclusively(say, async () => {
    if (isRunning()) return false;
    await clear();
    try {
      await start(say);
    } catch (error) {
      const logs = readLogs();
      await clear();
      throw new Error(`the cluster did not start: ${(error as Error).message}\n${logs}`, { cause: error });
    }
    writeFileSync(READY, lifetime === 'process' ? identityOf(process.pid)! : NOBODY);
    return true;
  });
}

/** Ends the cluster; does nothing when there is none. */
export async function down(say: Say): Promise<void> {
  await exclusively(say, clear);
}

/** Adds a node to the running cluster, and resolves when it is ready. */
export async function addNode(say: Say): Promise<ClusterNode> {
  return exclusively(say, async () => {
    const first = nodes[0]!;
    const node = nodes.find((candidate) => candidate.holder() === null);
    if (node === undefined) throw new Error(`the cluster has ${MAX_NODES} nodes, which is all there can be`);
    const others = runningNodes();
    await node.start();
    node.joinNetworkOf(first);
    for (const other of others) {
      node.routeTo(other);
      other.routeTo(node);
    }
    await startContainerd(node);
    await startKubelet(node);
    await startKubeProxy(node);
    await using api = new ApiClient();
    await nodeReady(api, node);
    return node;
  });
}

/** Ends a node at once, as a power cut would, and takes it out of the cluster. */
export async function removeNode(node: ClusterNode, say: Say): Promise<void> {
  assert.notEqual(node.index, 1, 'the first node has the control plane');
  await exclusively(say, async () => {
    await node.stop();
    rmSync(node.folder, { recursive: true, force: true });
    await using api = new ApiClient();
    await api.request({ method: 'DELETE', path: `/api/v1/nodes/${node.name}` });
  });
}

async function start(say: Say): Promise<void> {
  const node = nodes[0]!;
  mkdirSync(runFolder, { recursive: true, mode: 0o700 });
  await createPki();
  await node.start();
  await startForwarder(node);
  const control = (name: ControlPlaneProgram): Promise<void> => startControlPlane(node, name);
  await control('etcd');
  await control('kube-apiserver');
  await startContainerd(node);
  await importImage(node, dnsImage());
  await using api = new ApiClient();
  say('waiting for the API server …');
  await until(
    'the API server is ready',
    async () => {
      for (const name of ['etcd', 'kube-apiserver'] as const) {
        if (node.processesOf(program(name)).length === 0) throw new Error(`${name} ended`);
      }
      const answer = await api.request({ method: 'GET', path: '/readyz' }).catch(() => null);
      return answer?.status === 200;
    },
    START_TIMEOUT_MS,
  );
  await control('kube-controller-manager');
  await control('kube-scheduler');
  await startKubelet(node);
  await startKubeProxy(node);
  for (const object of dnsObjects) await create(api, object);
  say('waiting for the node and the DNS …');
  await nodeReady(api, node);
  await until(
    'CoreDNS is ready',
    async () => {
      const path = '/apis/apps/v1/namespaces/kube-system/deployments/coredns';
      const { body } = await api.request({ method: 'GET', path });
      return (body.status as { readyReplicas?: number }).readyReplicas === 1;
    },
    START_TIMEOUT_MS,
  );
}

/** A node hides the machine's /var and /run from its processes, so nothing that they need may be there. */
function checkFolders(): void {
  for (const [what, path] of [
    ['SLUICE_CACHE', cacheFolder()],
    ['TMPDIR', runFolder],
  ] as const) {
    if (/^\/(var|run)\//.test(path))
      throw new Error(`${what}: found ${path}, expected a folder not below /var or /run`);
  }
}

/** Ends what runs and removes what is left, of this checkout's cluster only. */
async function clear(): Promise<void> {
  rmSync(READY, { force: true });
  for (const node of nodes.toReversed()) await node.stop();
  for (const hierarchy of cgroupHierarchies()) await removeCgroups(join(hierarchy, cgroupRoot));
  rmSync(runFolder, { recursive: true, force: true });
}

function exclusively<T>(say: Say, work: () => Promise<T>): Promise<T> {
  return withLock(`cluster-${clusterId}`, work, () => say('waiting for another cluster command …'));
}

async function startForwarder(node: ClusterNode): Promise<void> {
  const script = join(import.meta.dirname, 'forward.ts');
  // Without the mount namespace: Node.js and the checkout may be anywhere.
  await node.daemon('forward', process.execPath, [script, FORWARDER_SOCKET], ['net', 'pid']);
}

async function create(api: ApiClient, object: object): Promise<void> {
  const { kind, apiVersion, metadata } = object as KubernetesObject;
  const group = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const scope = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
  const path = `${group}${scope}/${kind.toLowerCase()}s`;
  const { status, body } = await api.request({ method: 'POST', path, body: object });
  if (status !== 201) throw new Error(`creating ${kind} ${metadata.name}: ${body.message}`);
}

async function nodeReady(api: ApiClient, node: ClusterNode): Promise<void> {
  await until(
    `${node.name} is ready`,
    async () => {
      const { status, body } = await api.request({ method: 'GET', path: `/api/v1/nodes/${node.name}` });
      if (status !== 200) return false;
      const { conditions } = body.status as { conditions: { type: string; status: string }[] };
      return conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
    },
    START_TIMEOUT_MS,
  );
}

/** The last lines of every program, for whoever must find out why there is no cluster. */
function readLogs(): string {
  return runningNodes()
    .flatMap((node) => node.logNames().map((name) => `== ${node.name} ${name}\n${node.log(name)}`))
    .join('\n');
}
