import { topic } from '../workers/channel.ts';
import type { Acquisition, ConnectionId, Demand } from './counter.ts';

/**
 * What a worker asks in one turn of its event loop. Columns instead of objects: cloning a few flat arrays costs a
 * fraction of cloning as many objects. Releases are carried out first, then the acquisitions in order.
 */
export interface RequestBatch {
  /** Counts up from 1 on each channel. */
  readonly batch: number;
  readonly released: ConnectionId[];
  readonly connections: ConnectionId[];
  /** Demands of each connection; the three columns below have that many entries for it, in order. */
  readonly demandCounts: number[];
  readonly keys: string[];
  readonly maxCounts: number[];
  readonly enforced: boolean[];
}

/** The answers to one {@link RequestBatch}, in its order. */
export interface ReplyBatch {
  readonly batch: number;
  /** {@link ADMITTED}, {@link UNAVAILABLE}, or the index of the violated demand. */
  readonly outcomes: number[];
  /** Sparse, as most have none: [position in the batch, indexes of exceeded demands]. */
  readonly exceeded: [number, readonly number[]][];
}

export const COUNTER_REQUESTS = topic<RequestBatch>('counter.requests');
export const COUNTER_REPLIES = topic<ReplyBatch>('counter.replies');

const ADMITTED = -1;
const UNAVAILABLE = -2;

export function emptyRequest(batch: number): RequestBatch {
  return {
    batch,
    released: [],
    connections: [],
    demandCounts: [],
    keys: [],
    maxCounts: [],
    enforced: [],
  };
}

export function addAcquisition(
  request: RequestBatch,
  connection: ConnectionId,
  demands: readonly Demand[],
): void {
  request.connections.push(connection);
  request.demandCounts.push(demands.length);
  for (const demand of demands) {
    request.keys.push(demand.key);
    request.maxCounts.push(demand.maxCount);
    request.enforced.push(demand.enforce);
  }
}

/** Calls `decide` for every acquisition of the batch and gathers the answers. */
export function answer(
  request: RequestBatch,
  decide: (connection: ConnectionId, demands: readonly Demand[]) => Acquisition,
): ReplyBatch {
  const outcomes: number[] = [];
  const exceeded: [number, readonly number[]][] = [];
  let at = 0;
  request.connections.forEach((connection, position) => {
    const end = at + request.demandCounts[position]!;
    const demands: Demand[] = [];
    for (; at < end; at++) {
      demands.push({
        key: request.keys[at]!,
        maxCount: request.maxCounts[at]!,
        enforce: request.enforced[at]!,
      });
    }
    const acquisition = decide(connection, demands);
    outcomes.push(outcomeNumber(acquisition));
    if (acquisition.outcome !== 'unavailable' && acquisition.exceeded.length > 0) {
      exceeded.push([position, acquisition.exceeded]);
    }
  });
  return { batch: request.batch, outcomes, exceeded };
}

/** The answer at a position of a reply. */
export function acquisitionAt(reply: ReplyBatch, position: number): Acquisition {
  const outcome = reply.outcomes[position]!;
  if (outcome === ADMITTED && reply.exceeded.length === 0) return PLAINLY_ADMITTED;
  if (outcome === UNAVAILABLE) return { outcome: 'unavailable', reason: 'the counter refused to decide' };
  const exceeded = reply.exceeded.find(([at]) => at === position)?.[1] ?? [];
  if (outcome === ADMITTED) return { outcome: 'admitted', exceeded };
  return { outcome: 'rejected', violated: outcome, exceeded };
}

const PLAINLY_ADMITTED: Acquisition = { outcome: 'admitted', exceeded: [] };

function outcomeNumber(acquisition: Acquisition): number {
  if (acquisition.outcome === 'admitted') return ADMITTED;
  return acquisition.outcome === 'rejected' ? acquisition.violated : UNAVAILABLE;
}
