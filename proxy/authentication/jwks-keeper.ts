import { Agent, type Dispatcher } from 'undici';
import type { Authentication } from '../config/snapshot.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Channel, WorkerChannel } from '../workers/channel.ts';
import { fetchJwks } from './jwks-fetch.ts';
import {
  JWKS_TIMINGS,
  type JwksStatus,
  type JwksTimings,
  KeySet,
  type KeySetEvents,
} from './jwks-key-set.ts';
import { JWKS_KEYS, JWKS_REFRESH, JWKS_REFRESHED } from './jwks-messages.ts';

/** As much of a pino logger as is needed. */
export interface KeeperLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface JwksKeeperOptions {
  readonly metrics: Metrics;
  readonly log: KeeperLog;
  readonly timings?: Partial<JwksTimings>;
  readonly dispatcher?: Dispatcher;
}

/**
 * The main thread's half of JWKS URIs: fetches each one ahead of its expiry, and hands the keys to all workers.
 *
 * An outage of the issuer's server changes nothing for up to `maxStaleMs` (24 hours): the last good keys stay in use.
 * Until a first fetch succeeds there are none, and tokens get 503: the gateway cannot tell good ones from bad ones.
 */
export class JwksKeeper {
  readonly #timings: JwksTimings;
  readonly #log: KeeperLog;
  readonly #metrics: KeeperMetrics;
  readonly #dispatcher: Dispatcher;
  readonly #workers = new Map<number, Channel>();
  readonly #sets = new Map<string, KeySet>();

  constructor(options: JwksKeeperOptions) {
    this.#timings = { ...JWKS_TIMINGS, ...options.timings };
    this.#log = options.log;
    this.#metrics = new KeeperMetrics(options.metrics);
    this.#dispatcher = options.dispatcher ?? new Agent({ keepAliveTimeout: 1_000, connections: 2 });
  }

  /** Takes over the authentications of a snapshot; to be called before the workers get it. */
  apply(authentications: readonly Authentication[]): void {
    const uris = jwksUris(authentications);
    for (const [uri, set] of this.#sets) {
      if (uris.has(uri)) continue;
      set.stop();
      this.#sets.delete(uri);
      this.#metrics.remove(printable(uri));
    }
    for (const uri of uris) {
      if (this.#sets.has(uri)) continue;
      const set = new KeySet(uri, this.#timings, this.#events(uri));
      this.#sets.set(uri, set);
      set.start();
    }
  }

  /** Sends a new worker the keys there are; call before it gets its snapshot. */
  addWorker(channel: WorkerChannel): void {
    const { workerId } = channel;
    this.#workers.set(workerId, channel);
    for (const { uri, json } of this.#sets.values()) {
      if (json !== null) channel.post(JWKS_KEYS, { uri, json });
    }
    channel.on(JWKS_REFRESH, ({ uri, hasKeys }) => void this.#refreshFor(workerId, uri, hasKeys));
  }

  removeWorker(workerId: number): void {
    this.#workers.delete(workerId);
  }

  status(): JwksStatus[] {
    return [...this.#sets.values()].map((set) => set.status());
  }

  async stop(): Promise<void> {
    for (const set of this.#sets.values()) set.stop();
    this.#sets.clear();
    await this.#dispatcher.destroy();
  }

  async #refreshFor(workerId: number, uri: string, hasKeys: boolean): Promise<void> {
    const set = this.#sets.get(uri);
    const cooldownMs = (await set?.refresh()) ?? this.#timings.cooldownMs;
    const channel = this.#workers.get(workerId);
    if (!hasKeys && set !== undefined && set.json !== null) channel?.post(JWKS_KEYS, { uri, json: set.json });
    channel?.post(JWKS_REFRESHED, { uri, cooldownMs });
  }

  #events(uri: string): KeySetEvents {
    const jwksUri = printable(uri);
    const metrics = this.#metrics.series(jwksUri);
    return {
      fetch: () => fetchJwks(uri, this.#timings, this.#dispatcher),
      changed: (json) => {
        for (const channel of this.#workers.values()) channel.post(JWKS_KEYS, { uri, json });
        if (json !== null) this.#log.info({ jwksUri }, 'JWKS keys changed');
      },
      fetched: (keyCount) => {
        metrics.succeeded.add();
        metrics.keys.set(keyCount);
        metrics.lastSuccess.set(Math.floor(Date.now() / 1000));
      },
      failed: (problem) => {
        metrics.failed.add();
        this.#log.warn({ jwksUri, problem }, 'cannot fetch JWKS keys');
      },
      expired: () => {
        metrics.keys.set(0);
        this.#log.warn({ jwksUri }, 'the last JWKS keys are too old to be used; tokens get 503');
      },
    };
  }
}

class KeeperMetrics {
  readonly #fetches;
  readonly #keys;
  readonly #lastSuccess;

  constructor(metrics: Metrics) {
    this.#fetches = metrics.counter('sluice_jwks_fetches_total', 'Fetches of JWKS URIs: ok or failed.', [
      'uri',
      'result',
    ]);
    this.#keys = metrics.gauge('sluice_jwks_keys', 'Usable keys of a JWKS URI.', ['uri']);
    this.#lastSuccess = metrics.gauge(
      'sluice_jwks_last_success_timestamp_seconds',
      'When a JWKS URI was last fetched with success, in Unix time; 0 is never.',
      ['uri'],
    );
  }

  series(uri: string) {
    return {
      succeeded: this.#fetches.labels(uri, 'ok'),
      failed: this.#fetches.labels(uri, 'failed'),
      keys: this.#keys.labels(uri),
      lastSuccess: this.#lastSuccess.labels(uri),
    };
  }

  remove(uri: string): void {
    for (const result of ['ok', 'failed']) this.#fetches.remove(uri, result);
    this.#keys.remove(uri);
    this.#lastSuccess.remove(uri);
  }
}

function jwksUris(authentications: readonly Authentication[]): Set<string> {
  const uris = new Set<string>();
  for (const { providers } of authentications) {
    for (const { keys } of providers) {
      if (keys.type === 'JwksUri') uris.add(keys.uri);
    }
  }
  return uris;
}

/** Without user name, password and query, which may be secret. */
function printable(uri: string): string {
  if (!URL.canParse(uri)) return '(not a URI)';
  const { origin, pathname } = new URL(uri);
  return origin + pathname;
}
