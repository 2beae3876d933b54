/** `sluice proxy` as a process, with an API server that the test is in charge of. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { systemClock } from '../../kubernetes/index.ts';
import { FakeApiServer } from '../../kubernetes/testing/fake-api-server.ts';
import { compile } from '../../operator/compile/index.ts';
import { loadResources } from '../../operator/resources/index.ts';
import type { Snapshot } from '../../proxy/config/snapshot.ts';
import type { SecretData } from '../../proxy/config/stored-snapshot.ts';
import type { ProxyReport } from '../../proxy/pod/report.ts';
import { indexOf, putSecret } from '../../proxy/pod/testing/stored.ts';
import type { Resource } from './gateway.ts';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess } from './processes.ts';
import { until } from './until.ts';

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
export const POD = 'sluice-test-0';
export const SNAPSHOT_SECRET = 'sluice-test-snapshot';

/** What the operator would store for the gateway `default/test`. */
export function snapshotOf(written: readonly Resource[]): Snapshot {
  const { resources } = loadResources(written.map((one) => stringify(one)).join('---\n'), 'test.yaml');
  const { snapshots, diagnostics } = compile({ resources, now: Date.now() });
  assert.deepEqual(diagnostics, []);
  assert(snapshots[0] !== undefined);
  return snapshots[0];
}

export interface PodOptions {
  /** Not listening yet. */
  readonly serverIsAway?: boolean;
  /** What the kubelet has mounted. */
  readonly volume?: SecretData;
  readonly shutdownDelaySeconds?: number;
}

export class Pod implements AsyncDisposable {
  readonly server: FakeApiServer;
  readonly process: RunningProcess;
  readonly adminUrl: string;
  readonly statusUrl: string;
  readonly #folder: string;

  private constructor(
    server: FakeApiServer,
    process: RunningProcess,
    folder: string,
    ports: { readonly admin: number; readonly status: number },
  ) {
    this.server = server;
    this.process = process;
    this.#folder = folder;
    this.adminUrl = `http://127.0.0.1:${ports.admin}`;
    this.statusUrl = `http://127.0.0.1:${ports.status}`;
  }

  /** Starts the process, not waiting for it to be ready to serve. */
  static async start(snapshot: Snapshot | null, options: PodOptions = {}): Promise<Pod> {
    const server = new FakeApiServer({ clock: systemClock });
    // For a port.
    await server.start();
    const { url } = server;
    if (options.serverIsAway === true) await server.stop();
    if (snapshot !== null) putSecret(server, 'default', SNAPSHOT_SECRET, indexOf(snapshot));
    const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, kubeconfigFor(url));
    for (const [key, value] of Object.entries(options.volume ?? {}))
      await writeFile(join(folder, key), value);
    const ports = { admin: await freePort(), status: await freePort() };
    const process_ = await startProcess({
      command: process.execPath,
      args: [
        ...[CLI, 'proxy', '--namespace', 'default', '--gateway', 'test', '--address', '127.0.0.1'],
        ...['--snapshot-secret', SNAPSHOT_SECRET],
        ...['--snapshot-volume', options.volume === undefined ? join(folder, 'none') : folder],
        ...['--admin', `127.0.0.1:${ports.admin}`, '--status-port', String(ports.status)],
        ...['--shutdown-delay', String(options.shutdownDelaySeconds ?? 0)],
      ],
      env: { KUBECONFIG: kubeconfig, POD_NAME: POD },
      ready: async () => (await fetch(`http://127.0.0.1:${ports.status}/healthz`)).ok,
    });
    return new Pod(server, process_, folder, ports);
  }

  /** As the operator does. */
  store(snapshot: Snapshot): void {
    putSecret(this.server, 'default', SNAPSHOT_SECRET, indexOf(snapshot));
  }

  async readiness(): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`${this.statusUrl}/readyz`);
    return { status: answer.status, text: await answer.text() };
  }

  async ready(): Promise<void> {
    await until('the pod is ready', async () => (await this.readiness()).status === 200);
  }

  /** Reads the report from now on. */
  follow(): ReportReader {
    return new ReportReader(this.statusUrl);
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.statusUrl}/metrics`)).text();
  }

  /** What the process said, as JSON lines. */
  lines(): Record<string, unknown>[] {
    return this.process.output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.signal('SIGTERM');
    // The second signal ends the draining.
    await this.process.stop('SIGTERM');
    await this.server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The stream of reports, as the operator reads it. */
export class ReportReader implements Disposable {
  readonly reports: ProxyReport[] = [];
  ended = false;
  readonly #request;

  constructor(statusUrl: string) {
    let rest = '';
    this.#request = get(`${statusUrl}/report`, { agent: false }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.reports.push(JSON.parse(line) as ProxyReport);
      });
      response.on('error', () => {});
      response.on('close', () => {
        this.ended = true;
      });
    });
    this.#request.on('error', () => {});
  }

  /** The first report from now on, or the newest already, of which this holds. */
  until(what: string, condition: (report: ProxyReport) => boolean): Promise<ProxyReport> {
    return until(what, () => {
      const last = this.reports.at(-1);
      return last !== undefined && condition(last) ? last : null;
    });
  }

  [Symbol.dispose](): void {
    this.#request.destroy();
  }
}

function kubeconfigFor(server: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server } }],
    users: [{ name: 'test', user: {} }],
  });
}
