import type { LeaseName, LeaseRecord } from '../../proxy/counter/protocol/lease.ts';
import type { LeaseCall, LeaseResult } from '../../proxy/counter/protocol/turn.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';

export interface ApiFaults {
  /** Share of calls that are answered 5xx without being carried out. */
  errors: number;
  /** Share of calls that are carried out, but whose answer is lost. */
  lostAnswers: number;
  /** Share of calls that are carried out long after their caller has given up. */
  late: number;
  maxLatencyMs: number;
  /** Away for everybody. */
  isAway: boolean;
}

export interface Watcher {
  seen(record: LeaseRecord): void;
  gone(name: LeaseName): void;
}

interface Subscription {
  readonly watcher: Watcher;
  readonly queue: { readonly atMs: number; readonly name: LeaseName; readonly record: LeaseRecord | null }[];
  isBusy: boolean;
  isStopped: boolean;
  /** No events before then: the watch is stale. */
  staleUntilMs: number;
  readonly isReachable: () => boolean;
}

/** A linearizable store of Leases behind an unreliable connection, with watches that lag. */
export class LeaseApi {
  readonly faults: ApiFaults = { errors: 0, lostAnswers: 0, late: 0, maxLatencyMs: 20, isAway: false };
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #leases = new Map<LeaseName, LeaseRecord>();
  readonly #subscriptions = new Set<Subscription>();
  readonly #callTimeoutMs: number;
  #version = 0;

  constructor(schedule: Schedule, random: Random, callTimeoutMs: number) {
    this.#schedule = schedule;
    this.#random = random;
    this.#callTimeoutMs = callTimeoutMs;
  }

  records(): LeaseRecord[] {
    return [...this.#leases.values()];
  }

  /** Puts a Lease in place without anybody asking, or takes it away: what a person with kubectl does. */
  put(record: Omit<LeaseRecord, 'uid' | 'resourceVersion'>): void {
    this.#store({ ...record, uid: `u${++this.#version}`, resourceVersion: `${this.#version}` });
  }

  delete(name: LeaseName): void {
    if (!this.#leases.delete(name)) return;
    this.#publish(name, null);
  }

  /** @param answer is called exactly once, at the latest after the call's timeout */
  call(call: LeaseCall, isReachable: () => boolean, answer: (result: LeaseResult) => void): void {
    const { errors, lostAnswers, late, maxLatencyMs } = this.faults;
    const random = this.#random;
    let isAnswered = false;
    const answerOnce = (result: LeaseResult) => {
      if (isAnswered) return;
      isAnswered = true;
      answer(result);
    };
    this.#schedule.after(this.#callTimeoutMs, () => answerOnce({ outcome: 'unknown' }));
    let thereMs = random.between(0.5, maxLatencyMs);
    if (random.chance(late)) thereMs = random.between(this.#callTimeoutMs, this.#callTimeoutMs * 10);
    const fails = random.chance(errors);
    const isLost = random.chance(lostAnswers);
    this.#schedule.after(thereMs, () => {
      if (this.faults.isAway || !isReachable()) return;
      const result: LeaseResult = fails ? { outcome: 'unknown' } : this.#carryOut(call);
      if (isLost) return;
      this.#schedule.after(random.between(0.5, maxLatencyMs), () => {
        if (!this.faults.isAway && isReachable()) answerOnce(result);
      });
    });
  }

  /** Shows everything there is, then every change, in order, late. */
  watch(
    watcher: Watcher,
    isReachable: () => boolean,
    listed: () => void,
  ): { stop(): void; stall(ms: number): void } {
    const subscription: Subscription = {
      watcher,
      queue: [],
      isBusy: false,
      isStopped: false,
      staleUntilMs: 0,
      isReachable,
    };
    const list = () => {
      if (subscription.isStopped) return;
      if (this.faults.isAway || !isReachable()) {
        this.#schedule.after(500, list);
        return;
      }
      for (const record of this.#leases.values()) watcher.seen(record);
      this.#subscriptions.add(subscription);
      listed();
    };
    this.#schedule.after(this.#random.between(1, this.faults.maxLatencyMs), list);
    return {
      stop: () => {
        subscription.isStopped = true;
        this.#subscriptions.delete(subscription);
      },
      stall: (ms) => {
        subscription.staleUntilMs = this.#schedule.nowMs + ms;
      },
    };
  }

  #carryOut(call: LeaseCall): LeaseResult {
    const current = this.#leases.get(call.name);
    if (call.kind === 'get') return { outcome: 'done', record: current ?? null };
    if (call.kind === 'create') {
      if (current !== undefined) return { outcome: 'refused' };
      const version = `${++this.#version}`;
      return this.#write({ ...call.draft, name: call.name, uid: `u${version}`, resourceVersion: version });
    }
    const { uid, resourceVersion } = call.expected;
    if (current?.uid !== uid || !this.matches(resourceVersion, current.resourceVersion))
      return { outcome: 'refused' };
    if (call.kind === 'remove') {
      this.delete(call.name);
      return { outcome: 'done', record: null };
    }
    return this.#write({ ...call.draft, name: call.name, uid, resourceVersion: `${++this.#version}` });
  }

  matches(expected: string, current: string): boolean {
    return expected === current;
  }

  #write(record: LeaseRecord): LeaseResult {
    this.#store(record);
    return { outcome: 'done', record };
  }

  #store(record: LeaseRecord): void {
    this.#leases.set(record.name, record);
    this.#publish(record.name, record);
  }

  #publish(name: LeaseName, record: LeaseRecord | null): void {
    for (const subscription of this.#subscriptions) {
      const atMs = this.#schedule.nowMs + this.#random.between(1, 3 * this.faults.maxLatencyMs);
      subscription.queue.push({ atMs, name, record });
      this.#drain(subscription);
    }
  }

  /** Events of one watch keep their order. What piled up while it was away is shown as after a new list. */
  #drain(subscription: Subscription): void {
    const { queue, isReachable, watcher } = subscription;
    if (subscription.isBusy || queue.length === 0 || subscription.isStopped) return;
    subscription.isBusy = true;
    this.#schedule.at(Math.max(queue[0]!.atMs, subscription.staleUntilMs), () => {
      subscription.isBusy = false;
      if (subscription.isStopped) return;
      if (this.faults.isAway || !isReachable() || this.#schedule.nowMs < subscription.staleUntilMs) {
        subscription.staleUntilMs = Math.max(subscription.staleUntilMs, this.#schedule.nowMs + 500);
      } else {
        const { name, record } = queue.shift()!;
        const isSuperseded = queue.length > 16 && queue.some((later) => later.name === name);
        if (!isSuperseded) {
          if (record === null) watcher.gone(name);
          else watcher.seen(record);
        }
      }
      this.#drain(subscription);
    });
  }
}
