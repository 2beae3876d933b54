import { topic } from '../workers/channel.ts';

/** The keys of a JWKS URI; `null` when there are none (never fetched, or too long ago). */
export interface KeySetMessage {
  readonly uri: string;
  /** The JWK Set. Public keys only: whatever else the server sent stays in the main thread. */
  readonly json: string | null;
}

/** Main thread to worker: keys that changed, and all of them to a new worker. */
export const JWKS_KEYS = topic<KeySetMessage>('authentication.jwks-keys');

/** Worker to main thread: a token's key is not in the set, or there is no set. */
export const JWKS_REFRESH = topic<{
  readonly uri: string;
  /** Whether the worker has keys of this URI at all; the ones there are get sent to it if not. */
  readonly hasKeys: boolean;
}>('authentication.jwks-refresh');

/** Main thread to worker: the answer to {@link JWKS_REFRESH}, behind the new keys where there are any. */
export const JWKS_REFRESHED = topic<{
  readonly uri: string;
  /** Asking again earlier is in vain. */
  readonly cooldownMs: number;
}>('authentication.jwks-refreshed');
