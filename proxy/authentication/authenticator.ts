import { hash } from 'node:crypto';
import type { Authentication } from '../config/snapshot.ts';
import type { RequestView } from '../http/request.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Channel } from '../workers/channel.ts';
import { AuthenticationMetrics, type AuthenticationSeries } from './authentication-metrics.ts';
import { type FailureKind, failed, further } from './failure.ts';
import type { AuthenticationResult } from './identity.ts';
import { JwksClient } from './jwks-client.ts';
import {
  type CompiledAuthentication,
  type CompiledProvider,
  compileAuthentication,
  providersFor,
} from './providers.ts';
import { ResultCache } from './result-cache.ts';
import { readToken, type UnverifiedToken } from './token.ts';
import { TokenIdentity } from './token-identity.ts';
import { findToken } from './token-source.ts';
import { type Verified, verifyToken } from './verify.ts';

export interface AuthenticatorOptions {
  readonly channel: Channel;
  readonly metrics: Metrics;
  /** Wall clock, milliseconds: what `exp` and `nbf` are judged by. */
  readonly now?: () => number;
  readonly maxTokenLength?: number;
  readonly maxCached?: number;
  /** Tokens that are being verified; one more gets 503. */
  readonly maxPending?: number;
}

/** A good result is kept no longer, whatever `exp` says: the keys of a URI may have been withdrawn meanwhile. */
const MAX_CACHED_MS = 5 * 60_000;
/** Long enough to answer a client in a retry loop, short enough for whatever was put right to be seen. */
const MAX_FAILURE_CACHED_MS = 5_000;
const MAX_CACHED_FAILURES = 1_000;

/**
 * Verifies the JWTs of one worker's requests. A verified token is answered from memory, without parsing, until it
 * expires; many requests with the same unverified token share one verification.
 */
export class Authenticator {
  readonly #now: () => number;
  readonly #maxTokenLength: number;
  readonly #maxPending: number;
  readonly #jwks: JwksClient;
  readonly #metrics: AuthenticationMetrics;
  readonly #verified: ResultCache<AuthenticationResult>;
  /** Apart from the good results: a flood of garbage displaces only garbage. */
  readonly #failures = new ResultCache<AuthenticationResult>(MAX_CACHED_FAILURES);
  readonly #pending = new Map<string, Promise<AuthenticationResult>>();
  #active: ReadonlyMap<string, Active> = new Map();
  #lastVersion = 0;

  constructor(options: AuthenticatorOptions) {
    this.#now = options.now ?? Date.now;
    this.#maxTokenLength = options.maxTokenLength ?? 16_384;
    this.#maxPending = options.maxPending ?? 4_096;
    this.#verified = new ResultCache(options.maxCached ?? 10_000);
    this.#metrics = new AuthenticationMetrics(options.metrics);
    this.#jwks = new JwksClient(options.channel, (uri) => this.#keysChanged(uri));
  }

  /**
   * Takes over the authentications of a snapshot.
   * @param wantedClaims the claims that rules read; identities keep these and no others, so that a rule about a claim
   *   that is not named here would never apply
   */
  apply(authentications: readonly Authentication[], wantedClaims: readonly string[]): void {
    const previous = this.#active;
    const active = new Map<string, Active>();
    const uris = new Set<string>();
    for (const authentication of authentications) {
      const compiled = compileAuthentication(authentication, wantedClaims);
      const kept = previous.get(compiled.id);
      const unchanged = kept?.compiled.fingerprint === compiled.fingerprint;
      active.set(compiled.id, unchanged ? kept : this.#activate(compiled));
      for (const { keys } of compiled.providers) {
        if (typeof keys === 'string') uris.add(keys);
      }
    }
    this.#active = active;
    this.#jwks.keepOnly(uris);
    for (const id of previous.keys()) {
      if (!active.has(id)) this.#metrics.remove(id);
    }
  }

  /** @param id of an authentication that was applied */
  authenticate(id: string, request: RequestView): AuthenticationResult | Promise<AuthenticationResult> {
    const active = this.#active.get(id);
    // A request that was matched before a reload took its authentication away is not let in unchecked.
    if (active === undefined) return failed('keys_unavailable');
    const token = findToken(active.compiled.sources, request);
    if (token === undefined) return this.#refuse(active, 'missing_token');
    if (token.length > this.#maxTokenLength) return this.#refuse(active, 'too_long');
    return this.#judge(active, token);
  }

  #judge(active: Active, token: string): AuthenticationResult | Promise<AuthenticationResult> {
    // The version makes what was cached under another configuration or other keys unreachable.
    const cacheKey = `${active.version} ${hash('sha256', token, 'base64url')}`;
    const nowMs = this.#now();
    const known = this.#verified.get(cacheKey, nowMs) ?? this.#failures.get(cacheKey, nowMs);
    if (known !== undefined) {
      (known.ok ? active.series.acceptedFromMemory : active.series.refusedFromMemory).add();
      return known;
    }
    const pending = this.#pending.get(cacheKey);
    if (pending !== undefined) return pending;
    if (this.#pending.size >= this.#maxPending) return this.#refuse(active, 'overloaded');
    const verification = this.#verify(active, token, cacheKey).finally(() => this.#pending.delete(cacheKey));
    this.#pending.set(cacheKey, verification);
    return verification;
  }

  async #verify(active: Active, text: string, cacheKey: string): Promise<AuthenticationResult> {
    const token = readToken(text);
    const verdict = token === undefined ? 'malformed' : await this.#decide(active, token);
    const current = this.#active.get(active.compiled.id);
    if (current === undefined) return failed('keys_unavailable');
    // Configuration or keys changed meanwhile: the verdict may be another one now.
    if (current !== active) return this.#judge(current, text);
    const nowMs = this.#now();
    if (typeof verdict === 'string') {
      const result = this.#refuse(active, verdict);
      if (verdict !== 'keys_unavailable') {
        this.#failures.set(cacheKey, result, nowMs + MAX_FAILURE_CACHED_MS);
      }
      return result;
    }
    const { userIdClaims, wantedClaims } = active.compiled;
    const identity = new TokenIdentity(token!, userIdClaims, wantedClaims);
    const result: AuthenticationResult = { ok: true, identity };
    active.series.accepted.add();
    const untilMs = Math.min(Math.floor(verdict.endsAtSeconds) * 1000, nowMs + MAX_CACHED_MS);
    this.#verified.set(cacheKey, result, untilMs);
    return result;
  }

  /** Tries every provider that may have issued the token; of several failures the one that came furthest is told. */
  async #decide(active: Active, token: UnverifiedToken): Promise<Verified | FailureKind> {
    let failure: FailureKind | undefined;
    for (const provider of providersFor(active.compiled, token)) {
      const verdict = await this.#decideBy(provider, token);
      if (typeof verdict !== 'string') return verdict;
      failure = failure === undefined ? verdict : further(failure, verdict);
    }
    return failure ?? 'wrong_issuer';
  }

  async #decideBy(provider: CompiledProvider, token: UnverifiedToken): Promise<Verified | FailureKind> {
    const { config, keys } = provider;
    if (typeof keys !== 'string') return verifyToken(token, config, keys, this.#now());
    if (!config.algorithms.includes(token.algorithm)) return 'unsupported_algorithm';
    if (!this.#mayVerify(keys, token)) await this.#jwks.refresh(keys);
    const ring = this.#jwks.ring(keys);
    return ring === undefined ? 'keys_unavailable' : verifyToken(token, config, ring, this.#now());
  }

  /** Without a key for the token, newer keys are asked for: one may have been added since. */
  #mayVerify(uri: string, token: UnverifiedToken): boolean {
    const ring = this.#jwks.ring(uri);
    return ring !== undefined && ring.find(token.algorithm, token.keyId).length > 0;
  }

  #keysChanged(uri: string): void {
    this.#active = new Map(
      [...this.#active].map(([id, active]) => {
        const affected = active.compiled.providers.some(({ keys }) => keys === uri);
        return [id, affected ? { ...active, version: ++this.#lastVersion } : active];
      }),
    );
  }

  #activate(compiled: CompiledAuthentication): Active {
    return { compiled, version: ++this.#lastVersion, series: this.#metrics.series(compiled.id) };
  }

  #refuse(active: Active, kind: FailureKind): AuthenticationResult {
    active.series.refused[kind].add();
    return failed(kind);
  }
}

interface Active {
  readonly compiled: CompiledAuthentication;
  readonly version: number;
  readonly series: AuthenticationSeries;
}
