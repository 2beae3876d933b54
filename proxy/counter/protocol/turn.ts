import assert from 'node:assert/strict';
import type { Acquisition, ConnectionId, Demand } from '../counter.ts';
import type { Incarnation, LeaseDraft, LeaseName, LeaseRecord } from './lease.ts';
import type { Message } from './messages.ts';

export type LeaseCall =
  | { readonly kind: 'get'; readonly name: LeaseName }
  | { readonly kind: 'create'; readonly name: LeaseName; readonly draft: LeaseDraft }
  /** Compare-and-swap: only if the Lease is still that uid at that resourceVersion. */
  | {
      readonly kind: 'update';
      readonly name: LeaseName;
      readonly expected: LeaseRecord;
      readonly draft: LeaseDraft;
    }
  | { readonly kind: 'remove'; readonly name: LeaseName; readonly expected: LeaseRecord };

/**
 * - `done`: what the Lease is now; after a `get` or `remove`, `null` when it is absent.
 * - `refused`: it was not as expected (conflict, exists already, absent). Nothing was written.
 * - `unknown`: timeout, 5xx, no connection. It may have been written, or may be yet.
 */
export type LeaseResult =
  | { readonly outcome: 'done'; readonly record: LeaseRecord | null }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'unknown' };

/** What comes in. The local monotonic time comes beside it. */
export type Event =
  /** The time that {@link CounterNode.wakeAtMs} named has come. */
  | { readonly type: 'wake' }
  | { readonly type: 'message'; readonly from: Incarnation; readonly message: Message }
  /** From the watch; late, but in the order of the changes. */
  | { readonly type: 'lease-seen'; readonly record: LeaseRecord }
  | { readonly type: 'lease-gone'; readonly name: LeaseName }
  /** The watch has shown all Leases there were. */
  | { readonly type: 'leases-listed' }
  | { readonly type: 'call-result'; readonly callId: number; readonly result: LeaseResult }
  /** There is proof that the process is gone, e.g. its container was restarted or its Pod object is deleted. */
  | { readonly type: 'died'; readonly incarnation: Incarnation }
  | { readonly type: 'acquire'; readonly connection: ConnectionId; readonly demands: readonly Demand[] }
  | { readonly type: 'release'; readonly connection: ConnectionId }
  /** Planned: hand over the shards, take no more; the session ends with the last connection. */
  | { readonly type: 'stop' };

/** What is to be done, in this order, before the next event. */
export type Effect =
  | { readonly type: 'send'; readonly to: Incarnation; readonly message: Message }
  | { readonly type: 'call'; readonly callId: number; readonly call: LeaseCall }
  | { readonly type: 'answer'; readonly connection: ConnectionId; readonly acquisition: Acquisition }
  /** Close these now, with a code that makes clients reconnect: they are not counted any more. */
  | { readonly type: 'close'; readonly connections: readonly ConnectionId[] }
  /** This incarnation is finished: `ended` by others (start a new one) or `stopped` as planned. */
  | { readonly type: 'finished'; readonly reason: 'ended' | 'stopped' };

/** Who made a call of the Lease API, and is told its result. */
export interface Caller {
  onCallResult(turn: Turn, call: LeaseCall, result: LeaseResult): void;
}

/** Calls that have no result yet: at most one for each Lease. */
export class Calls {
  #nextId = 1;
  readonly #byId = new Map<number, { readonly call: LeaseCall; readonly caller: Caller }>();
  readonly #names = new Set<LeaseName>();

  isOpen(name: LeaseName): boolean {
    return this.#names.has(name);
  }

  open(call: LeaseCall, caller: Caller): number {
    assert(!this.#names.has(call.name), 'one call at a time for each Lease');
    this.#names.add(call.name);
    const id = this.#nextId++;
    this.#byId.set(id, { call, caller });
    return id;
  }

  close(id: number): { readonly call: LeaseCall; readonly caller: Caller } | undefined {
    const open = this.#byId.get(id);
    if (open === undefined) return undefined;
    this.#byId.delete(id);
    this.#names.delete(open.call.name);
    return open;
  }
}

/** One event's handling: the time it is judged by, and the effects it has. */
export class Turn {
  readonly nowMs: number;
  readonly effects: Effect[] = [];
  readonly #calls: Calls;

  constructor(nowMs: number, calls: Calls) {
    this.nowMs = nowMs;
    this.#calls = calls;
  }

  send(to: Incarnation, message: Message): void {
    this.effects.push({ type: 'send', to, message });
  }

  isCalling(name: LeaseName): boolean {
    return this.#calls.isOpen(name);
  }

  call(call: LeaseCall, caller: Caller): void {
    this.effects.push({ type: 'call', callId: this.#calls.open(call, caller), call });
  }

  answer(connection: ConnectionId, acquisition: Acquisition): void {
    this.effects.push({ type: 'answer', connection, acquisition });
  }

  close(connections: readonly ConnectionId[]): void {
    if (connections.length > 0) this.effects.push({ type: 'close', connections });
  }

  finish(reason: 'ended' | 'stopped'): void {
    this.effects.push({ type: 'finished', reason });
  }
}
