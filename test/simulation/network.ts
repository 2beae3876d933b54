import type { Envelope } from '../../proxy/counter/protocol/messages.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';

export interface NetworkFaults {
  loss: number;
  duplication: number;
  /** Share of messages that take up to `straggleMs` instead of `maxDelayMs`. */
  stragglers: number;
  straggleMs: number;
  maxDelayMs: number;
}

/** Messages between processes: late, lost, doubled, out of order, cut off one way or both. */
export class Network {
  readonly faults: NetworkFaults = { loss: 0, duplication: 0, stragglers: 0, straggleMs: 0, maxDelayMs: 5 };
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #deliver: (envelope: Envelope) => void;
  /** How many faults cut `from>to` off now. */
  readonly #cuts = new Map<string, number>();

  constructor(schedule: Schedule, random: Random, deliver: (envelope: Envelope) => void) {
    this.#schedule = schedule;
    this.#random = random;
    this.#deliver = deliver;
  }

  send(envelope: Envelope): void {
    const { loss, duplication } = this.faults;
    if (!this.#random.chance(loss)) this.#carry(envelope);
    if (this.#random.chance(duplication)) this.#carry(envelope);
  }

  /** @param by 1 to cut, -1 to mend: cuts may overlap */
  cut(from: string, to: string, by: 1 | -1): void {
    const link = `${from}>${to}`;
    this.#cuts.set(link, (this.#cuts.get(link) ?? 0) + by);
  }

  mendAll(): void {
    this.#cuts.clear();
    Object.assign(this.faults, { loss: 0, duplication: 0, stragglers: 0, straggleMs: 0, maxDelayMs: 5 });
  }

  #carry(envelope: Envelope): void {
    const { stragglers, straggleMs, maxDelayMs } = this.faults;
    const isLate = this.#random.chance(stragglers);
    const delayMs = this.#random.between(0.2, isLate ? straggleMs : maxDelayMs);
    this.#schedule.after(delayMs, () => {
      if ((this.#cuts.get(`${envelope.from}>${envelope.to}`) ?? 0) <= 0) this.#deliver(envelope);
    });
  }
}
