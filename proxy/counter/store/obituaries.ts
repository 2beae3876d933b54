import { Backoff } from '../../../kubernetes/backoff.ts';
import type { Clock } from '../../../kubernetes/clock.ts';
import { KubernetesError } from '../../../kubernetes/errors.ts';
import type { Incarnation } from '../protocol/lease.ts';
import type { Settings } from '../protocol/settings.ts';
import type { CallBudget } from './call-budget.ts';

export interface ObituariesOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly settings: Settings;
  readonly budget: CallBudget;
  /** Whether the Pod object is gone, as the API server says now: its processes are gone with it. */
  readonly isGone: (pod: PodIdentity) => Promise<boolean>;
  readonly onGone: (incarnation: Incarnation) => void;
  readonly onProblem: (problem: string) => void;
}

export interface PodIdentity {
  readonly name: string;
  readonly uid: string;
}

interface Watched {
  readonly pod: PodIdentity;
  readonly backoff: Backoff;
  /** When to look at its Pod, unless it is heard of before. */
  nextMs: number;
  /** Since when its Lease is not there. */
  lostMs: number | null;
  isGone: boolean;
}

const INTERVAL_MS = 500;
/** Between two looks at the Pod of one that is silent. */
const LOOKS = { minMs: 2_000, maxMs: 60_000 };
/** One that has the proof is enough: the more there are, the rarer each looks. */
const SPREAD_PER_MEMBER_MS = 20;

/**
 * Looks whether the Pods of silent members are still there. A member's Pod is older than its Lease, so one that is not
 * there when its Lease is has been deleted: proof that the process is gone.
 */
export class Obituaries {
  readonly #options: ObituariesOptions;
  readonly #watched = new Map<Incarnation, Watched>();
  #cancel: () => void = () => {};
  #isStopped = false;

  constructor(options: ObituariesOptions) {
    this.#options = options;
    this.#arm();
  }

  watches(incarnation: Incarnation): boolean {
    return this.#watched.has(incarnation);
  }

  /** The member's Lease has changed, or its state is seen for the first time. */
  heard(incarnation: Incarnation, pod: PodIdentity | null): void {
    const { random } = this.#options;
    let watched = this.#watched.get(incarnation);
    if (watched === undefined) {
      if (pod === null) return;
      watched = { pod, backoff: new Backoff(LOOKS, random), nextMs: 0, lostMs: null, isGone: false };
      this.#watched.set(incarnation, watched);
    }
    watched.lostMs = null;
    watched.backoff.reset();
    watched.nextMs = this.#firstLookMs();
  }

  /** The member's Lease is gone. */
  lost(incarnation: Incarnation): void {
    const known = this.#watched.get(incarnation);
    if (known === undefined || known.lostMs !== null) return;
    known.lostMs = this.#options.clock.now();
    known.nextMs = this.#firstLookMs();
  }

  /** It has left as planned. */
  forget(incarnation: Incarnation): void {
    this.#watched.delete(incarnation);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Two renewals from now, and not all at the same time. */
  #firstLookMs(): number {
    const { clock, settings, random } = this.#options;
    const spreadMs = this.#watched.size * SPREAD_PER_MEMBER_MS * random();
    return clock.now() + 2 * settings.renewIntervalMs + spreadMs;
  }

  #arm(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.clock.after(INTERVAL_MS, () => void this.#look().then(() => this.#arm()));
  }

  async #look(): Promise<void> {
    const { clock, settings, budget } = this.#options;
    for (const [incarnation, watched] of [...this.#watched]) {
      const nowMs = clock.now();
      if (watched.lostMs !== null && nowMs - watched.lostMs > 2 * settings.markerMs) {
        // By then nobody names it any more.
        this.#watched.delete(incarnation);
        continue;
      }
      if (watched.isGone || nowMs < watched.nextMs || budget.take(0) === null) continue;
      const spread = 1 + (this.#watched.size * SPREAD_PER_MEMBER_MS) / 1000;
      watched.nextMs = nowMs + watched.backoff.next() * spread;
      await this.#lookAt(incarnation, watched);
      if (this.#isStopped) return;
    }
  }

  async #lookAt(incarnation: Incarnation, watched: Watched): Promise<void> {
    const { isGone, onGone, onProblem } = this.#options;
    try {
      if (!(await isGone(watched.pod)) || this.#isStopped) return;
      watched.isGone = true;
      onGone(incarnation);
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      onProblem(error.message);
    }
  }
}
