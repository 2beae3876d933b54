import type { Clock } from '../../../kubernetes/clock.ts';
import { ApiError, KubernetesError } from '../../../kubernetes/errors.ts';
import { LEASES, type Lease } from '../../../kubernetes/lease.ts';
import { ObjectClient, type ObjectName } from '../../../kubernetes/object-client.ts';
import type { ObjectMeta } from '../../../kubernetes/objects.ts';
import type { Transport } from '../../../kubernetes/transport.ts';
import type { LeaseName, LeaseRecord } from '../protocol/lease.ts';
import type { LeaseCall, LeaseResult } from '../protocol/turn.ts';
import type { CallBudget } from './call-budget.ts';

export interface LeaseCallsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly budget: CallBudget;
  readonly callTimeoutMs: number;
  readonly nameOf: (name: LeaseName) => ObjectName;
  /** The object that a call is to write. */
  readonly objectOf: (call: WritingCall) => Lease;
  /** What an object says; `null` when it cannot be read. */
  readonly recordOf: (name: LeaseName, object: Lease) => LeaseRecord | null;
  /** `null`: all is well again. */
  readonly onProblem: (problem: string | null) => void;
}

export type WritingCall = Extract<LeaseCall, { kind: 'create' | 'update' }>;

const UNKNOWN: LeaseResult = { outcome: 'unknown' };

/** Makes the protocol's calls at the API server, each answered within its time, and not more often than allowed. */
export class LeaseCalls {
  readonly #options: LeaseCallsOptions;
  readonly #client: ObjectClient<Lease>;
  #isStopped = false;

  constructor(options: LeaseCallsOptions) {
    this.#options = options;
    this.#client = new ObjectClient(options.transport, LEASES);
  }

  /** @param answer called exactly once, later; not any more once it is stopped */
  call(call: LeaseCall, answer: (result: LeaseResult) => void): void {
    const { clock, budget, callTimeoutMs } = this.#options;
    let isAnswered = false;
    const answerOnce = (result: LeaseResult) => {
      if (isAnswered) return;
      isAnswered = true;
      cancel();
      if (!this.#isStopped) answer(result);
    };
    const endMs = clock.now() + callTimeoutMs;
    const cancel = clock.after(callTimeoutMs, () => answerOnce(UNKNOWN));
    const waitMs = budget.take(callTimeoutMs / 2);
    if (waitMs === null) return;
    clock.after(waitMs, () => {
      if (!this.#isStopped) void this.#carryOut(call, endMs - clock.now()).then(answerOnce);
    });
  }

  /** Deletes an object in exactly this state; what goes wrong with that is only said. */
  async discard({ metadata }: { readonly metadata: ObjectMeta }): Promise<void> {
    const { uid = '', resourceVersion } = metadata;
    try {
      await this.#client.delete(metadata, uid, this.#options.callTimeoutMs, resourceVersion);
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      this.#options.onProblem(error.message);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #carryOut(call: LeaseCall, timeoutMs: number): Promise<LeaseResult> {
    const { onProblem, budget } = this.#options;
    try {
      const result = await this.#request(call, timeoutMs);
      onProblem(null);
      return result;
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      if (error instanceof ApiError) {
        // Creating answers 404 where there is no such namespace.
        if (error.conflict || (error.notFound && call.kind === 'update')) return { outcome: 'refused' };
        if (error.retryAfterMs > 0) budget.pause(error.retryAfterMs);
      }
      onProblem(error.message);
      return UNKNOWN;
    }
  }

  async #request(call: LeaseCall, timeoutMs: number): Promise<LeaseResult> {
    const { nameOf, objectOf } = this.#options;
    switch (call.kind) {
      case 'get':
        return this.#read(call, await this.#client.get(nameOf(call.name), timeoutMs));
      case 'create':
        return this.#read(call, await this.#client.create(objectOf(call), timeoutMs));
      case 'update':
        return this.#read(call, await this.#client.update(objectOf(call), timeoutMs));
      case 'remove': {
        const { uid, resourceVersion } = call.expected;
        await this.#client.delete(nameOf(call.name), uid, timeoutMs, resourceVersion);
        return { outcome: 'done', record: null };
      }
    }
  }

  #read({ name }: LeaseCall, object: Lease | null): LeaseResult {
    if (object === null) return { outcome: 'done', record: null };
    const record = this.#options.recordOf(name, object);
    return record === null ? UNKNOWN : { outcome: 'done', record };
  }
}
