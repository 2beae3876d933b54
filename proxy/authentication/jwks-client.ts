import type { Channel } from '../workers/channel.ts';
import { JWKS_KEYS, JWKS_REFRESH, JWKS_REFRESHED } from './jwks-messages.ts';
import { jwksRing, type KeyRing } from './key-ring.ts';

/** A refresh that the main thread does not answer within this time is not waited for. */
const REFRESH_TIMEOUT_MS = 10_000;

/** The worker's copy of the keys behind JWKS URIs, as the main thread's keeper sends them. */
export class JwksClient {
  readonly #channel: Channel;
  readonly #onChange: (uri: string) => void;
  readonly #rings = new Map<string, KeyRing>();
  readonly #refreshes = new Map<string, Refresh>();

  constructor(channel: Channel, onChange: (uri: string) => void) {
    this.#channel = channel;
    this.#onChange = onChange;
    channel.on(JWKS_KEYS, ({ uri, json }) => {
      const ring = json === null ? undefined : jwksRing(json, false);
      if (ring === undefined) this.#rings.delete(uri);
      else this.#rings.set(uri, ring);
      this.#onChange(uri);
    });
    channel.on(JWKS_REFRESHED, ({ uri, cooldownMs }) => this.#refreshed(uri, cooldownMs));
  }

  /** `undefined` when there are no keys. */
  ring(uri: string): KeyRing | undefined {
    return this.#rings.get(uri);
  }

  /** Forgets the keys of URIs that left the configuration; whoever waits for such a one waits no longer. */
  keepOnly(uris: ReadonlySet<string>): void {
    for (const uri of this.#rings.keys()) {
      if (!uris.has(uri)) this.#rings.delete(uri);
    }
    for (const uri of this.#refreshes.keys()) {
      if (uris.has(uri)) continue;
      this.#refreshed(uri, 0);
      this.#refreshes.delete(uri);
    }
  }

  /** Asks for newer keys; `undefined` when it was asked a short while ago, so that asking again is in vain. */
  refresh(uri: string): Promise<void> | undefined {
    const current = this.#refreshes.get(uri);
    if (current?.pending !== undefined) return current.pending.promise;
    if (current !== undefined && performance.now() < current.askAgainMs) return undefined;
    const pending = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.#refreshed(uri, 0), REFRESH_TIMEOUT_MS).unref();
    this.#refreshes.set(uri, { pending, timer, askAgainMs: 0 });
    this.#channel.post(JWKS_REFRESH, { uri, hasKeys: this.#rings.has(uri) });
    return pending.promise;
  }

  #refreshed(uri: string, cooldownMs: number): void {
    const current = this.#refreshes.get(uri);
    if (current?.pending === undefined) return;
    clearTimeout(current.timer);
    this.#refreshes.set(uri, {
      pending: undefined,
      timer: undefined,
      askAgainMs: performance.now() + cooldownMs,
    });
    current.pending.resolve();
  }
}

interface Refresh {
  readonly pending: PromiseWithResolvers<void> | undefined;
  readonly timer: NodeJS.Timeout | undefined;
  /** Monotonic. */
  readonly askAgainMs: number;
}
