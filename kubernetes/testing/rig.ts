import type { TestContext } from 'node:test';
import type { Access, Credentials } from '../credentials/access.ts';
import type { KubernetesObject, ResourceType } from '../objects.ts';
import { Reflector, type ReflectorOptions } from '../reflector.ts';
import { UndiciTransport } from '../undici-transport.ts';
import { FakeApiServer } from './fake-api-server.ts';
import { ManualClock } from './manual-clock.ts';

export const CONFIG_MAPS: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};

export const CONFIG_MAPS_PATH = '/api/v1/configmaps';

export interface ConfigMap extends KubernetesObject {
  data?: Record<string, string>;
}

/** A ConfigMap with one value. */
export function configMap(name: string, value: string, namespace = 'chat') {
  return { metadata: { namespace, name }, data: { value } };
}

export class FixedCredentials implements Credentials {
  readonly namespace = 'default';
  current: Access;
  invalidations = 0;
  /** Called when the server refused what is current. */
  onInvalidate: () => void = () => {};

  constructor(current: Access) {
    this.current = current;
  }

  async access(): Promise<Access> {
    return this.current;
  }

  invalidate(): void {
    this.invalidations++;
    this.onInvalidate();
  }
}

export interface Rig {
  readonly server: FakeApiServer;
  readonly clock: ManualClock;
  readonly credentials: FixedCredentials;
  readonly transport: UndiciTransport;
  /** Keys that a reflector's handler was told, in order. */
  readonly told: string[];
  /** Lines that reflectors logged. */
  readonly lines: string[];
  reflector(options?: Partial<ReflectorOptions>): Reflector<ConfigMap>;
}

/** A fake server and a client of it, with one clock that stands still. */
export async function rig(t: TestContext): Promise<Rig> {
  const clock = new ManualClock();
  const server = new FakeApiServer({ clock });
  await server.start();
  const credentials = new FixedCredentials({
    server: server.url,
    tls: { rejectUnauthorized: true },
    headers: {},
    proxyUrl: null,
  });
  const transport = new UndiciTransport(credentials, clock);
  const reflectors: Reflector<ConfigMap>[] = [];
  const told: string[] = [];
  const lines: string[] = [];
  const log = {
    info: (line: string) => lines.push(line),
    warn: (line: string) => lines.push(`warn: ${line}`),
  };
  t.after(async () => {
    for (const reflector of reflectors) await reflector.stop();
    await transport.close();
    await server.stop();
  });
  return {
    server,
    clock,
    credentials,
    transport,
    told,
    lines,
    reflector: (options = {}) => {
      const reflector = new Reflector<ConfigMap>({
        type: CONFIG_MAPS,
        transport,
        clock,
        random: () => 0.5,
        log,
        onChange: (key) => told.push(key),
        ...options,
      });
      reflectors.push(reflector);
      reflector.start();
      return reflector;
    },
  };
}

/** Names and values of what a reflector stores. */
export function valuesOf(reflector: Reflector<ConfigMap>): Record<string, string> {
  const entries = [...reflector.store.values()].map(({ metadata, data }) => [
    metadata.name,
    data?.value ?? '',
  ]);
  return Object.fromEntries(entries.sort());
}
