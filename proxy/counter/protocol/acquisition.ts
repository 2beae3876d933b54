import assert from 'node:assert/strict';
import type { Acquisition, ConnectionId, Demand } from '../counter.ts';
import type { Decided, SlotId } from './messages.ts';
import { shardOfKey } from './placement.ts';

/**
 * - `idle`: not asked.
 * - `asked`: no answer yet.
 * - `reserved`: holds.
 * - `rejected`, `busy`: does not hold.
 */
type PartState = 'idle' | 'asked' | 'reserved' | 'rejected' | 'busy';

/** The demands of one acquisition that live in one shard. */
export interface Part {
  readonly shard: number;
  readonly demands: readonly Demand[];
  /** Their places in the acquisition. */
  readonly indexes: readonly number[];
  state: PartState;
  /** The slot that was last asked for. */
  id: SlotId;
  violated: number;
  exceeded: readonly number[];
}

/** What to do next. */
export type Step = 'wait' | 'admit' | 'reject' | 'in-order' | 'again';

/**
 * One connection's way to all of its keys, or none.
 *
 * First all shards are asked at once. What is not confirmed may still be given back, so that somebody else who finds no
 * room but for that is told `busy`, not rejected. If that happens to this acquisition, it gives everything back and
 * asks one shard after the other in their order, waiting at one that is busy: nobody waits for a lower shard than it
 * holds, so nobody waits in a circle.
 */
export class Attempt {
  readonly connection: ConnectionId;
  readonly deadlineMs: number;
  readonly parts: readonly Part[];
  /** Asks one shard after the other. */
  inOrder = false;
  /** Not before then is a busy shard asked again. */
  againMs = 0;

  constructor(connection: ConnectionId, demands: readonly Demand[], shards: number, deadlineMs: number) {
    this.connection = connection;
    this.deadlineMs = deadlineMs;
    const byShard = new Map<number, { demands: Demand[]; indexes: number[] }>();
    demands.forEach((demand, index) => {
      const shard = shardOfKey(demand.key, shards);
      const part = byShard.get(shard) ?? { demands: [], indexes: [] };
      part.demands.push(demand);
      part.indexes.push(index);
      byShard.set(shard, part);
    });
    this.parts = [...byShard]
      .sort(([a], [b]) => a - b)
      .map(([shard, part]) => ({ shard, ...part, state: 'idle', id: 0, violated: -1, exceeded: [] }));
  }

  /** A decision on the slot that a part asked for. */
  onDecided(part: Part, decided: Decided): Step {
    assert(part.state === 'asked' && part.id === decided.id);
    if (decided.outcome === 'over') {
      part.state = 'idle';
      return 'again';
    }
    part.state = decided.outcome;
    part.violated = decided.violated;
    part.exceeded = decided.exceeded;
    return this.step();
  }

  step(): Step {
    const has = (state: PartState) => this.parts.some((part) => part.state === state);
    if (this.inOrder) {
      if (has('rejected')) return 'reject';
      if (has('busy')) return 'again';
      if (has('asked')) return 'wait';
      return has('idle') ? 'again' : 'admit';
    }
    if (has('asked') || has('idle')) return 'wait';
    if (has('rejected')) return 'reject';
    return has('busy') ? 'in-order' : 'admit';
  }

  /** The part to ask next when they are asked in order, or `undefined` while one is being asked. */
  nextInOrder(): Part | undefined {
    if (this.parts.some(({ state }) => state === 'asked')) return undefined;
    return this.parts.find(({ state }) => state !== 'reserved');
  }

  /** The last part that is missing counts at once; otherwise what is reserved awaits the confirmation. */
  isLast(part: Part): boolean {
    return this.parts.every((other) => other === part || (this.inOrder && other.state === 'reserved'));
  }

  admitted(): Acquisition {
    return { outcome: 'admitted', exceeded: this.#exceeded() };
  }

  rejected(): Acquisition {
    let violated = Number.POSITIVE_INFINITY;
    for (const part of this.parts) {
      if (part.state === 'rejected') violated = Math.min(violated, part.indexes[part.violated]!);
    }
    assert(Number.isFinite(violated));
    return { outcome: 'rejected', violated, exceeded: this.#exceeded() };
  }

  #exceeded(): number[] {
    return this.parts
      .flatMap(({ indexes, exceeded }) => exceeded.map((at) => indexes[at]!))
      .sort((a, b) => a - b);
  }
}
