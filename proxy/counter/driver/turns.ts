import type { Clock } from '../../../kubernetes/clock.ts';
import type { CounterNode } from '../protocol/node.ts';
import type { Effect, Event } from '../protocol/turn.ts';

export interface TurnsOptions {
  readonly node: CounterNode;
  readonly clock: Clock;
  /** Carries out an effect, in this turn. What it brings about by way of events waits for its end. */
  readonly carryOut: (effect: Effect) => void;
  /** After each turn in which the end of the session may have changed. */
  readonly onSessionEnd: (endMs: number) => void;
  /** How late the event loop came to an event that was due. */
  readonly onDelay: (delayMs: number) => void;
  /** The protocol found itself in a state that cannot be. */
  readonly onBroken: (error: unknown) => void;
}

/** Events that come with each connection, and never change how long the session lasts. */
const FREQUENT: ReadonlySet<string> = new Set([
  'acquire',
  'release',
  'reserve',
  'decided',
  'settle',
  'settled',
  'report',
]);

/** Gives a node its turns: an event and the time at which it is handled go in, effects are carried out in order. */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #queue: Event[] = [];
  #isRunning = false;
  #isOver = false;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #cancelWake: () => void = () => {};

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  handle(event: Event): void {
    this.#queue.push(event);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#turn(next);
    } finally {
      this.#isRunning = false;
    }
  }

  /** No event is handled any more. */
  end(): void {
    this.#isOver = true;
    this.#queue.length = 0;
    this.#cancelWake();
  }

  #turn(event: Event): void {
    if (this.#isOver) return;
    const { node, clock, carryOut, onBroken } = this.#options;
    let effects: readonly Effect[];
    try {
      effects = node.handle(event, clock.now());
    } catch (error) {
      this.end();
      onBroken(error);
      return;
    }
    const isFrequent = FREQUENT.has(event.type === 'message' ? event.message.type : event.type);
    if (!isFrequent || effects.some(({ type }) => type === 'call' || type === 'close'))
      this.#options.onSessionEnd(node.member.closeByMs());
    for (const effect of effects) carryOut(effect);
    this.#armWake();
  }

  #armWake(): void {
    const wakeAtMs = this.#options.node.wakeAtMs();
    if (this.#isOver || wakeAtMs === this.#wakeAtMs) return;
    this.#cancelWake();
    this.#wakeAtMs = wakeAtMs;
    const { clock, onDelay } = this.#options;
    const delayMs = Math.max(0, wakeAtMs - clock.now());
    if (!Number.isFinite(delayMs)) return;
    this.#cancelWake = clock.after(Math.ceil(delayMs), () => {
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      onDelay(Math.max(0, clock.now() - wakeAtMs));
      this.handle({ type: 'wake' });
    });
  }
}
