import assert from 'node:assert/strict';
import type { Acquisition, Demand } from '../../proxy/counter/counter.ts';
import type { Message } from '../../proxy/counter/protocol/messages.ts';
import { CounterNode } from '../../proxy/counter/protocol/node.ts';
import type { Settings } from '../../proxy/counter/protocol/settings.ts';
import type { Effect, Event } from '../../proxy/counter/protocol/turn.ts';
import type { LeaseApi } from './lease-api.ts';
import type { Network } from './network.ts';
import type { Connection, Observer } from './observer.ts';
import type { Schedule } from './schedule.ts';

export interface Clock {
  /** Local milliseconds for each real one. */
  readonly rate: number;
  readonly offsetMs: number;
}

export interface Surroundings {
  readonly schedule: Schedule;
  readonly network: Network;
  readonly api: LeaseApi;
  readonly observer: Observer;
  readonly settings: Settings;
  readonly trace: ((line: string) => void) | null;
  /** Another process decides on a shard now. */
  readonly otherDecider: (shard: number, self: Process) => Process | undefined;
  readonly onFinished: (process: Process, reason: 'ended' | 'stopped') => void;
}

/** One process: a node, its clock, its connections; it may stand still, or die. */
export class Process {
  readonly incarnation: string;
  readonly node: CounterNode;
  readonly connections = new Map<number, Connection>();
  readonly #around: Surroundings;
  readonly #clock: Clock;
  readonly #watch;
  readonly #inbox: Event[] = [];
  #isPaused = false;
  #isFrozen = false;
  #isDead = false;
  #isCutFromApi = 0;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #nextConnection = 1;
  isStopping = false;

  constructor(incarnation: string, replaces: string, clock: Clock, around: Surroundings) {
    this.incarnation = incarnation;
    this.#clock = clock;
    this.#around = around;
    this.node = new CounterNode(incarnation, around.settings, replaces);
    this.#watch = around.api.watch(
      {
        seen: (record) => this.deliver({ type: 'lease-seen', record }),
        gone: (name) => this.deliver({ type: 'lease-gone', name }),
      },
      () => this.reachesApi,
      () => this.deliver({ type: 'leases-listed' }),
    );
    this.deliver({ type: 'wake' });
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get reachesApi(): boolean {
    return this.#isCutFromApi <= 0;
  }

  nowMs(): number {
    return this.#around.schedule.nowMs * this.#clock.rate + this.#clock.offsetMs;
  }

  deliver(event: Event): void {
    if (this.#isDead) return;
    if (this.#isPaused) this.#inbox.push(event);
    else this.#handle(event);
  }

  /** A client connects. Returns the connection, which may be established already. */
  open(demands: readonly Demand[]): Connection {
    const id = this.#nextConnection++;
    const connection: Connection = {
      id,
      process: this.incarnation,
      demands,
      state: 'asked',
      isFrozen: false,
    };
    this.connections.set(id, connection);
    this.#around.observer.ask(connection);
    this.deliver({ type: 'acquire', connection: id, demands });
    return connection;
  }

  /** The client leaves. */
  leave(connection: Connection): void {
    if (connection.state === 'closed') return;
    this.#around.observer.close(connection);
    this.connections.delete(connection.id);
    this.deliver({ type: 'release', connection: connection.id });
  }

  pause(): void {
    this.#isPaused = true;
    const { schedule, observer } = this.#around;
    const { rate, offsetMs } = this.#clock;
    const closeByMs = this.node.member.closeByMs();
    if (!Number.isFinite(closeByMs)) return;
    schedule.at((closeByMs - offsetMs) / rate, () => {
      if (!this.#isPaused || this.#isDead || this.node.member.closeByMs() !== closeByMs) return;
      this.#isFrozen = true;
      for (const connection of this.connections.values()) observer.freeze(connection);
    });
  }

  resume(): void {
    if (this.#isDead || !this.#isPaused) return;
    this.#isPaused = false;
    this.#handle({ type: 'wake' });
    if (this.#isFrozen)
      for (const connection of this.connections.values()) this.#around.observer.thaw(connection);
    this.#isFrozen = false;
    while (this.#inbox.length > 0 && !this.#isPaused && !this.#isDead) this.#handle(this.#inbox.shift()!);
  }

  crash(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#watch.stop();
    for (const connection of this.connections.values()) this.#around.observer.close(connection);
    this.connections.clear();
  }

  stop(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    this.deliver({ type: 'stop' });
  }

  cutFromApi(by: 1 | -1): void {
    this.#isCutFromApi += by;
  }

  mendApi(): void {
    this.#isCutFromApi = 0;
  }

  stallWatch(ms: number): void {
    this.#watch.stall(ms);
  }

  #handle(event: Event): void {
    const { trace } = this.#around;
    if (trace !== null && event.type !== 'wake' && event.type !== 'message') {
      trace(`${this.incarnation} <- ${JSON.stringify(event)}`);
    }
    const effects = this.node.handle(event, this.nowMs());
    for (const effect of effects) this.#carryOut(effect);
    this.#armWake();
  }

  #carryOut(effect: Effect): void {
    const { network, api, observer, trace, onFinished } = this.#around;
    if (trace !== null && effect.type !== 'send') trace(`${this.incarnation} -> ${JSON.stringify(effect)}`);
    switch (effect.type) {
      case 'send':
        this.#check(effect.message);
        network.send({ from: this.incarnation, to: effect.to, message: effect.message });
        return;
      case 'call':
        api.call(
          effect.call,
          () => this.reachesApi && !this.#isDead,
          (result) => this.deliver({ type: 'call-result', callId: effect.callId, result }),
        );
        return;
      case 'answer':
        this.#onAnswer(effect.connection, effect.acquisition);
        return;
      case 'close':
        for (const id of effect.connections) {
          const connection = this.connections.get(id);
          if (connection === undefined) continue;
          observer.closedByGateway++;
          observer.close(connection);
          this.connections.delete(id);
        }
        return;
      case 'finished':
        this.#watch.stop();
        onFinished(this, effect.reason);
    }
  }

  /** Nobody may grant what another could grant at the same time. */
  #check(message: Message): void {
    if (message.type !== 'decided' || message.outcome !== 'reserved') return;
    this.checkSoleDecider(message.shard);
  }

  checkSoleDecider(shard: number): void {
    const other = this.#around.otherDecider(shard, this);
    if (other !== undefined) {
      this.#around.observer.fail(
        `${this.incarnation} and ${other.incarnation} both decide on shard ${shard}`,
      );
    }
  }

  #onAnswer(id: number, acquisition: Acquisition): void {
    const connection = this.connections.get(id);
    if (connection === undefined) return;
    const { observer } = this.#around;
    assert(connection.state === 'asked', 'an acquisition is answered once');
    if (acquisition.outcome === 'admitted') {
      observer.establish(connection);
      return;
    }
    this.connections.delete(id);
    if (acquisition.outcome === 'rejected') {
      const violated = connection.demands[acquisition.violated];
      assert(violated?.enforce, 'an enforced demand is named');
      observer.reject(connection, violated);
    } else {
      observer.unavailable++;
      observer.close(connection);
    }
  }

  #armWake(): void {
    const wakeAtMs = this.node.wakeAtMs();
    const { schedule } = this.#around;
    const { rate, offsetMs } = this.#clock;
    if (!Number.isFinite(wakeAtMs)) return;
    // A microsecond later, so that rounding does not wake it too early.
    const atMs = Math.max((wakeAtMs - offsetMs) / rate + 0.001, schedule.nowMs);
    if (this.#wakeAtMs <= atMs && this.#wakeAtMs > schedule.nowMs) return;
    this.#wakeAtMs = atMs;
    schedule.at(atMs, () => {
      if (this.#wakeAtMs !== atMs) return;
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      if (!this.#isPaused) this.deliver({ type: 'wake' });
    });
  }
}
