import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { formatDiagnostic } from '../operator/resources/index.ts';
import {
  type Configuration,
  FileSource,
  nextConfiguration,
  type SourceState,
} from '../operator/sources/index.ts';
import { ProcessView } from '../proxy/admin/process-view.ts';
import { AdminServer, type AdminSource } from '../proxy/admin/server.ts';
import { printableSnapshot } from '../proxy/config/encoding.ts';
import type { Snapshot } from '../proxy/config/snapshot.ts';
import type { Membership } from '../proxy/counter/membership.ts';
import { GatewayProxy } from '../proxy/gateway-proxy.ts';
import { type ListenFailure, listenErrorInWords } from '../proxy/listeners/words.ts';
import { localServices, type ServicePlaces } from '../proxy/pools/local-services.ts';
import type { ServiceSource } from '../proxy/pools/sources.ts';
import type { Log } from '../proxy/telemetry/log.ts';

export interface StandaloneOptions {
  readonly files: readonly string[];
  /** Address that listeners bind. */
  readonly address: string;
  readonly admin: { readonly host: string; readonly port: number };
  /** Where Services are on this machine. */
  readonly services: ServicePlaces;
  /** With whom connections are counted; absent: alone. */
  readonly members?: Membership;
  readonly log: Log;
  readonly accessLogOutput: NodeJS.WritableStream;
}

/** What stands in the way of serving, or of serving all of it. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly text: string;
}

/** For what this process owned of the count to be handed over; after that the others take it by themselves. */
const LEAVE_TIMEOUT_MS = 5_000;

/**
 * Gateways on one machine without a cluster: files → compile → proxies in this process. Nothing in here decides
 * anything that the operator or the proxy decide in a cluster.
 */
export class Standalone implements AdminSource {
  readonly #options: StandaloneOptions;
  readonly #source: FileSource;
  readonly #services: ServiceSource;
  readonly #view: ProcessView;
  readonly #admin = new AdminServer(this);
  /** New with each start: a client of before is then balanced anew. */
  readonly #affinityKey = new Uint8Array(randomBytes(32));
  readonly #proxies = new Map<string, GatewayProxy>();
  /** Of gateways that are gone from the files, until they have drained. */
  readonly #leaving = new Set<GatewayProxy>();
  #configuration: Configuration | null = null;
  #problems: readonly Problem[] = [];
  /** Reloads run one after the other; the newest state waits here while one runs. */
  #next: SourceState | null = null;
  #working: Promise<void> | null = null;
  #stopping = false;

  constructor(options: StandaloneOptions) {
    this.#options = options;
    this.#source = new FileSource(options.files);
    this.#services = localServices(options.services);
    const { members } = options;
    this.#view = new ProcessView(
      () => this.#all(),
      members === undefined ? undefined : (metrics) => members.counter(metrics),
    );
  }

  /**
   * Reads the files and serves them; follows their changes from then on.
   * @returns the address of the admin endpoints; `null` if it was told to end in the meantime
   * @throws Error where there is nothing to serve, or the admin address cannot be had
   */
  async start(): Promise<AddressInfo | null> {
    const address = await this.#listenAdmin();
    try {
      await this.#options.members?.start();
      this.#enqueue(await this.#source.load());
      await this.#working;
      if (this.#stopping) {
        // The order to end may have come before there was a socket to close.
        await this.#admin.close();
        return null;
      }
      if (this.#proxies.size === 0) throw new Error('nothing to serve: the files hold no valid EdgeGateway');
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#source.watch((state) => this.#enqueue(state));
    return address;
  }

  async #listenAdmin(): Promise<AddressInfo> {
    const { host, port } = this.#options.admin;
    try {
      return await this.#admin.listen(host, port);
    } catch (error) {
      throw new Error(
        `admin: ${listenErrorInWords(error as Error, port, host)}; --admin HOST:PORT chooses another`,
      );
    }
  }

  /** Lets go of what is open as each gateway's drain setting says, then ends. */
  async drain(): Promise<void> {
    this.#stopping = true;
    this.#source.close();
    this.#options.members?.leave();
    await this.#working;
    await Promise.all(this.#all().map((proxy) => proxy.drain()));
    await this.#options.members?.close(LEAVE_TIMEOUT_MS);
    await this.#admin.close();
  }

  /** Ends at once. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#source.close();
    await Promise.all(this.#all().map((proxy) => proxy.stop()));
    await this.#options.members?.close(0);
    await this.#admin.close();
  }

  get snapshots(): Snapshot[] {
    return [...this.#proxies.values()]
      .map(({ snapshot }) => snapshot)
      .filter((snapshot) => snapshot !== null);
  }

  /** What is listened on. */
  listeners(): { readonly name: string; readonly protocol: string; readonly port: number }[] {
    return [...this.#proxies.values()].flatMap((proxy) => proxy.listeners());
  }

  readiness(): { ready: boolean; reason: string } {
    if (this.#stopping) return { ready: false, reason: 'draining' };
    const counts = [...this.#proxies.values()].map((proxy) => proxy.readiness());
    const ready = counts.reduce((sum, count) => sum + count.ready, 0);
    const wanted = counts.reduce((sum, count) => sum + count.wanted, 0);
    const deaf = [...this.#proxies].find(([, proxy]) => proxy.listeners().length === 0);
    if (deaf !== undefined)
      return { ready: false, reason: `no listener of gateway ${deaf[0]} could be opened` };
    const reason = `${ready} of ${wanted} workers serve the newest configuration`;
    return { ready: wanted > 0 && ready === wanted, reason };
  }

  metrics(): Promise<string> {
    return this.#view.exposition();
  }

  config(): unknown {
    return { gateways: this.snapshots.map(printableSnapshot), problems: this.#problems };
  }

  connections(limit: number): Promise<unknown> {
    return this.#view.connections(limit);
  }

  pools(): unknown {
    return this.#view.pools();
  }

  #all(): GatewayProxy[] {
    return [...this.#proxies.values(), ...this.#leaving];
  }

  #enqueue(state: SourceState): void {
    this.#next = state;
    this.#working ??= this.#work().finally(() => {
      this.#working = null;
    });
  }

  async #work(): Promise<void> {
    while (this.#next !== null && !this.#stopping) {
      const state = this.#next;
      this.#next = null;
      await this.#reload(state);
    }
  }

  async #reload(state: SourceState): Promise<void> {
    const configuration = nextConfiguration(this.#configuration, state, Date.now());
    this.#configuration = configuration;
    const failures = await this.#serve(configuration);
    if (this.#stopping) return;
    this.#tell(configuration, failures);
  }

  /** Has a proxy for each gateway, and none for a gateway that left. */
  async #serve({ snapshots }: Configuration): Promise<ListenFailure[]> {
    const wanted = new Map(snapshots.map((snapshot) => [gatewayKey(snapshot), snapshot]));
    for (const [key, proxy] of this.#proxies) {
      if (wanted.has(key)) continue;
      this.#proxies.delete(key);
      this.#options.log.info({ gateway: key }, 'the gateway is gone from the files: draining it');
      this.#leaving.add(proxy);
      void proxy.drain().then(() => this.#leaving.delete(proxy));
    }
    const failures: ListenFailure[] = [];
    for (const [key, snapshot] of wanted) {
      if (this.#stopping) break;
      let proxy = this.#proxies.get(key);
      if (proxy === undefined) {
        const { address, log, accessLogOutput } = this.#options;
        proxy = new GatewayProxy({
          address,
          affinityKey: this.#affinityKey,
          log,
          counter: this.#view.counter,
          accessLogOutput,
          services: this.#services,
        });
        this.#proxies.set(key, proxy);
      } else if (proxy.isServing(snapshot)) continue;
      failures.push(...(await proxy.apply(snapshot)));
      if (this.#stopping) break;
      if (proxy.listeners().length > 0) {
        this.#options.log.info({ gateway: key, snapshot: snapshot.hash.slice(0, 12) }, 'serving');
      }
    }
    return failures;
  }

  #tell({ diagnostics, applied }: Configuration, failures: readonly ListenFailure[]): void {
    const wasGood = this.#problems.every(({ severity }) => severity !== 'error');
    this.#problems = [
      ...diagnostics.map((diagnostic) => ({
        severity: diagnostic.severity,
        text: formatDiagnostic(diagnostic, { severity: false }),
      })),
      ...failures.map(({ listeners, message }) => ({
        severity: 'error' as const,
        text: `listener ${listeners.join(', ')}: ${message}`,
      })),
    ];
    for (const { severity, text } of this.#problems) {
      if (severity === 'error') this.#options.log.error(text);
      else this.#options.log.warn(text);
    }
    if (!applied && this.#proxies.size > 0)
      this.#options.log.error('the files could not be read completely: the configuration stays as it was');
    const good = this.#problems.every(({ severity }) => severity !== 'error');
    // A repair that leads back to what is served swaps nothing, and so is told by nothing else.
    if (good && !wasGood) this.#options.log.info('no error is left: all that the files say is in effect');
    this.#view.reloaded(good);
  }
}

function gatewayKey({ gateway }: Snapshot): string {
  return `${gateway.namespace}/${gateway.name}`;
}
