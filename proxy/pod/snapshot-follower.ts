import { Backoff } from '../../kubernetes/backoff.ts';
import {
  type Clock,
  KubernetesError,
  ObjectClient,
  Reflector,
  type Transport,
} from '../../kubernetes/index.ts';
import type { Snapshot } from '../config/snapshot.ts';
import {
  affinityKeyOf,
  readStoredSnapshot,
  type SecretData,
  StoredSnapshotError,
  storedManifest,
} from '../config/stored-snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import { dataOf, readSecretVolume, SECRETS, type Secret } from './secret.ts';
import type { Watch } from './watch-metrics.ts';

/** How long a start waits for the API server before it looks into the volume, and how often it looks again. */
const VOLUME_AFTER_MS = 3_000;
const VOLUME_AGAIN_MS = 5_000;
/** Parts that do not fit to the index are usually there a moment later. */
const BACKOFF = { minMs: 200, maxMs: 10_000 };
const QUIET_RETRIES = 3;
/** Workers that cannot serve a snapshot must not keep the next one from them. */
const APPLY_TIMEOUT_MS = 30_000;
/** A watch that was lost is usually back in a moment. After this long it is worth telling. */
const TELL_AFTER_MS = 30_000;

export interface SnapshotFollowerOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly namespace: string;
  /** Of the index; parts have its name and a suffix. */
  readonly secretName: string;
  /** The gateway that the snapshot must be of. */
  readonly gateway: { readonly namespace: string; readonly name: string };
  /** Where the index is mounted, for a start while the API server is away. */
  readonly volume: string;
  /**
   * Serves a snapshot; resolves when every worker does.
   *
   * @param affinityKey of the gateway, the same for ever; `null` when the index has none
   */
  readonly apply: (snapshot: Snapshot, affinityKey: Uint8Array | null) => Promise<void>;
  /** Told of each snapshot that was taken, or could not be. */
  readonly taken: (good: boolean) => void;
  /** {@link SnapshotFollower.problem} may be another. */
  readonly onChange: () => void;
}

/**
 * Follows the snapshot that is stored for a gateway's pods. One that cannot be read is told of, and the last good one
 * stays. It needs the API server only to follow, and the operator not at all.
 */
export class SnapshotFollower implements Watch {
  readonly name = 'snapshot';
  readonly #options: SnapshotFollowerOptions;
  readonly #secrets: ObjectClient<Secret>;
  readonly #reflector: Reflector<Secret>;
  readonly #backoff: Backoff;
  readonly #where: string;
  #synced = false;
  /** Hashes of what every worker serves, and of what they were told to and do not yet. */
  #served: string | null = null;
  #applying: string | null = null;
  #applications = 0;
  #problem: string | null = null;
  /** What is to be done is done one after the other; news while it is are looked at afterwards. */
  #again = false;
  #working = false;
  #volumeIsDue = false;
  #cancelVolume: () => void = () => {};
  #cancelRetry: () => void = () => {};
  #stopping = false;

  constructor(options: SnapshotFollowerOptions) {
    const { transport, random, namespace, secretName } = options;
    this.#options = options;
    this.#where = `Secret ${namespace}/${secretName}`;
    this.#secrets = new ObjectClient(transport, SECRETS);
    this.#backoff = new Backoff(BACKOFF, random);
    this.#reflector = new Reflector<Secret>({
      ...options,
      type: SECRETS,
      fieldSelector: `metadata.name=${secretName}`,
      onChange: () => this.#news(),
    });
  }

  get stalenessMs(): number {
    return this.#reflector.stalenessMs;
  }

  get failures(): number {
    return this.#reflector.counts.failures;
  }

  /** Why the newest snapshot is not served, or not known, in words; `null` when all is well. */
  get problem(): string | null {
    if (this.#problem !== null) return this.#problem;
    const { error } = this.#reflector;
    if (this.#served === null) return error ?? `${this.#where} has not been read yet`;
    if (error === null || this.stalenessMs < TELL_AFTER_MS) return null;
    return `${error}; the last snapshot stays in force`;
  }

  start(): void {
    this.#reflector.start();
    void this.#reflector.synced.then(() => {
      this.#synced = true;
      this.#cancelVolume();
      this.#news();
    });
    this.#lookIntoVolume(VOLUME_AFTER_MS);
  }

  /** What is served stays. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelVolume();
    this.#cancelRetry();
    await this.#reflector.stop();
  }

  #lookIntoVolume(afterMs: number): void {
    this.#cancelVolume = this.#options.clock.after(afterMs, () => {
      if (this.#synced || this.#served !== null) return;
      this.#volumeIsDue = true;
      this.#look();
      this.#lookIntoVolume(VOLUME_AGAIN_MS);
    });
  }

  #news(): void {
    this.#backoff.reset();
    this.#look();
  }

  #look(): void {
    this.#again = true;
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#again && !this.#stopping) {
      this.#again = false;
      this.#cancelRetry();
      await this.#take();
    }
    this.#working = false;
  }

  async #take(): Promise<void> {
    const { namespace, secretName, volume } = this.#options;
    const secret = this.#reflector.store.get(`${namespace}/${secretName}`);
    if (secret !== undefined) {
      await this.#serve(dataOf(secret), (suffix) => this.#part(suffix), true);
    } else if (this.#synced) {
      this.#tell(
        this.#served === null
          ? `there is no ${this.#where} yet`
          : `${this.#where} is gone; the last snapshot stays in force`,
      );
    } else if (this.#volumeIsDue) {
      this.#volumeIsDue = false;
      const index = await readSecretVolume(volume);
      if (index === null) {
        const because = this.#reflector.error ?? `${this.#where}: no answer from the API server yet`;
        this.#tell(`${because}; and there is no snapshot in ${volume}`);
      } else {
        this.#options.log.warn({ volume }, 'the API server does not answer: starting from the volume');
        await this.#serve(index, async () => null, false);
      }
    }
  }

  async #part(suffix: string): Promise<SecretData | null> {
    const { namespace, secretName } = this.#options;
    const secret = await this.#secrets.get({ namespace, name: `${secretName}-${suffix}` });
    return secret === null ? null : dataOf(secret);
  }

  /** @param mayHeal whether reading it again can help */
  async #serve(
    index: SecretData,
    part: (suffix: string) => Promise<SecretData | null>,
    mayHeal: boolean,
  ): Promise<void> {
    let snapshot: Snapshot;
    try {
      const { hash } = storedManifest(index);
      if (hash === this.#served && this.#applying === null) return this.#well();
      if (hash === this.#applying) return;
      snapshot = await readStoredSnapshot(index, part);
    } catch (error) {
      if (!(error instanceof StoredSnapshotError || error instanceof KubernetesError)) throw error;
      const isPassing = !(error instanceof StoredSnapshotError) || error.reason === 'Incomplete';
      if (mayHeal && isPassing) this.#retry(error.message);
      else this.#failed(error.message);
      return;
    }
    const { gateway } = this.#options;
    const found = `${snapshot.gateway.namespace}/${snapshot.gateway.name}`;
    const expected = `${gateway.namespace}/${gateway.name}`;
    if (found !== expected)
      return this.#failed(`${this.#where}: found the snapshot of gateway ${found}, expected ${expected}`);
    if (!this.#stopping) await this.#apply(snapshot, affinityKeyOf(index));
  }

  async #apply(snapshot: Snapshot, affinityKey: Uint8Array | null): Promise<void> {
    const { clock, apply } = this.#options;
    const { hash } = snapshot;
    this.#applying = hash;
    const application = ++this.#applications;
    const { promise: timedOut, resolve: timeOut } = Promise.withResolvers<void>();
    const cancel = clock.after(APPLY_TIMEOUT_MS, () => {
      const seconds = APPLY_TIMEOUT_MS / 1000;
      this.#failed(`not every worker serves snapshot ${shortened(hash)} after ${seconds} s`);
      timeOut();
    });
    const applied = apply(snapshot, affinityKey).then(() => {
      cancel();
      // A newer one may be on its way already.
      if (this.#stopping || application !== this.#applications) return;
      this.#served = hash;
      this.#applying = null;
      this.#options.taken(true);
      this.#options.log.info({ snapshot: shortened(hash) }, 'serving');
      this.#well();
    });
    await Promise.race([applied, timedOut]);
  }

  #retry(words: string): void {
    if (this.#stopping) return;
    const delayMs = this.#backoff.next();
    this.#cancelRetry = this.#options.clock.after(delayMs, () => this.#look());
    if (this.#backoff.attempts > QUIET_RETRIES) this.#failed(words);
  }

  #failed(words: string): void {
    const isNews = words !== this.#problem;
    this.#tell(words);
    if (isNews) this.#options.taken(false);
  }

  #tell(words: string): void {
    if (words === this.#problem) return;
    this.#problem = words;
    this.#options.log.error(words);
    this.#options.onChange();
  }

  #well(): void {
    this.#backoff.reset();
    this.#problem = null;
    this.#options.onChange();
  }
}

/** Enough to tell snapshots apart. */
function shortened(hash: string): string {
  return hash.slice(0, 12);
}
