/** The gateway as a process of its own, with configuration files made for one test. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { BackendPoolSpec } from '../../operator/resources/generated/backend-pool.ts';
import type { EdgeGatewaySpec } from '../../operator/resources/generated/edge-gateway.ts';
import type { FirewallRuleListSpec } from '../../operator/resources/generated/firewall-rule-list.ts';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess } from './processes.ts';

const projectFile = (relative: string): string =>
  fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const CLI = projectFile('cli/main.ts');

export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const sluice = (kind: string, name: string, spec: object): Resource =>
  ({ apiVersion: 'sluice.dev/v1alpha1', kind, metadata: { name }, spec }) as Resource;

export const edgeGateway = (spec: EdgeGatewaySpec, name = 'test'): Resource =>
  sluice('EdgeGateway', name, { accessLog: { mode: 'None' }, ...spec });

export const backendPool = (name: string, spec: BackendPoolSpec): Resource =>
  sluice('BackendPool', name, spec);

export const ruleList = (
  spec: Omit<FirewallRuleListSpec, 'targetRefs'>,
  name = 'rules',
  gateway = 'test',
): Resource =>
  sluice('FirewallRuleList', name, {
    targetRefs: [{ group: 'sluice.dev', kind: 'EdgeGateway', name: gateway }],
    ...spec,
  });

export const secret = (name: string, stringData: Readonly<Record<string, string>>): Resource =>
  ({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData }) as Resource;

export const tlsSecret = (name: string, certificate: string, key: string): Resource =>
  ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': certificate, 'tls.key': key },
  }) as Resource;

export const configMap = (name: string, data: Readonly<Record<string, string>>): Resource =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }) as Resource;

/** A certificate for `localhost` and 127.0.0.1, its key and its CA: those of the chat example. */
export const demoTls = {
  certificate: readFileSync(projectFile('examples/chat/backend/demo-tls.crt'), 'utf8'),
  key: readFileSync(projectFile('examples/chat/backend/demo-tls.key'), 'utf8'),
  ca: (
    parse(readFileSync(projectFile('examples/chat/backend-ca.yaml'), 'utf8')) as {
      data: { 'ca.crt': string };
    }
  ).data['ca.crt'],
};

/** One sample of the Prometheus text: `name{labels}` as written, and its value. */
export interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

export class Gateway implements AsyncDisposable {
  readonly process: RunningProcess;
  readonly adminUrl: string;
  readonly #folder: string;
  readonly #removeFolder: boolean;

  private constructor(process: RunningProcess, adminUrl: string, folder: string, removeFolder: boolean) {
    this.process = process;
    this.adminUrl = adminUrl;
    this.#folder = folder;
    this.#removeFolder = removeFolder;
  }

  /**
   * Serves these resources; the file can be replaced with {@link Gateway.apply}.
   *
   * @param args more arguments for `sluice run`
   */
  static async start(
    resources: readonly Resource[],
    env: Record<string, string> = {},
    args: readonly string[] = [],
  ): Promise<Gateway> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
    await writeFile(join(folder, 'gateway.yaml'), yamlOf(resources));
    return Gateway.#run(folder, true, env, args);
  }

  /** Serves files that are there already. */
  static serve(folder: string): Promise<Gateway> {
    return Gateway.#run(folder, false, {}, []);
  }

  static async #run(
    path: string,
    removeFolder: boolean,
    env: Record<string, string>,
    args: readonly string[],
  ): Promise<Gateway> {
    const adminPort = await freePort();
    const adminUrl = `http://127.0.0.1:${adminPort}`;
    try {
      const started = await startProcess({
        command: process.execPath,
        args: ['--expose-gc', CLI, 'run', '-f', path, '--admin', `127.0.0.1:${adminPort}`, ...args],
        env,
        ready: async () => (await fetch(`${adminUrl}/readyz`)).ok,
      });
      return new Gateway(started, adminUrl, path, removeFolder);
    } catch (error) {
      if (removeFolder) await rm(path, { recursive: true, force: true });
      throw error;
    }
  }

  /** Replaces the configuration. The gateway notices by itself; await what should change. */
  async apply(resources: readonly Resource[]): Promise<void> {
    await this.write(yamlOf(resources));
  }

  /** Replaces the configuration by any text. */
  async write(text: string): Promise<void> {
    await writeFile(join(this.#folder, 'gateway.yaml'), text);
  }

  async metrics(): Promise<Sample[]> {
    const text = await (await fetch(`${this.adminUrl}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const end = line.lastIndexOf(' ');
        const brace = line.indexOf('{');
        const nameEnd = brace === -1 ? end : brace;
        return {
          name: line.slice(0, nameEnd),
          labels: line.slice(nameEnd, end),
          value: Number(line.slice(end + 1)),
        };
      });
  }

  /** The sum over all series of a metric. */
  async metric(name: string): Promise<number> {
    return (await this.metrics())
      .filter((sample) => sample.name === name)
      .reduce((sum, { value }) => sum + value, 0);
  }

  async stop(): Promise<void> {
    this.process.signal('SIGTERM');
    // The second signal ends the draining.
    await this.process.stop('SIGTERM');
    if (this.#removeFolder) await rm(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function yamlOf(resources: readonly Resource[]): string {
  return resources.map((resource) => stringify(resource)).join('---\n');
}
