import { topic } from '../workers/channel.ts';
import type { Acquisition, ConnectionId, Demand, Fallback } from './counter.ts';

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
  /** Places in {@link FALLBACKS}. */
  readonly fallbacks: number[];
}

/** The answers to one {@link RequestBatch}, or to some of it. */
export interface ReplyBatch {
  readonly batch: number;
  /** Which acquisitions of the batch are answered; absent: all, in their order. */
  readonly positions?: number[];
  /** What comes of each: {@link ADMITTED} and so on, or the index of the violated demand. */
  readonly outcomes: number[];
  /** Sparse, as most have none: [place in the outcomes, indexes of exceeded demands]. */
  readonly exceeded: [number, readonly number[]][];
  /** When it was decided: see `session.ts`. Absent where slots are never lost. */
  readonly epoch?: number;
}

/** These, or all that are counted (`null`), have lost their slots. */
export interface Revocation {
  readonly connections: ConnectionId[] | null;
  /** The one that begins with it. Told to all workers, also to those that lose nothing. */
  readonly epoch: number;
}

/** Connections that were admitted without the count, and are counted by now. */
export interface Recount {
  readonly connections: ConnectionId[];
}

export const COUNTER_REQUESTS = topic<RequestBatch>('counter.requests');
export const COUNTER_REPLIES = topic<ReplyBatch>('counter.replies');
export const COUNTER_REVOKED = topic<Revocation>('counter.revoked');
export const COUNTER_RECOUNTED = topic<Recount>('counter.recounted');

const ADMITTED = -1;
const UNAVAILABLE = -2;
const ADMITTED_LOCALLY = -3;
const ADMITTED_OPENLY = -4;

const FALLBACKS: readonly (Fallback | undefined)[] = [undefined, 'Local', 'Open'];

export function emptyRequest(batch: number): RequestBatch {
  return {
    batch,
    released: [],
    connections: [],
    demandCounts: [],
    keys: [],
    maxCounts: [],
    enforced: [],
    fallbacks: [],
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
    request.fallbacks.push(FALLBACKS.indexOf(demand.fallback));
  }
}

/** Calls `visit` for every acquisition of the batch, in order. */
export function forEachAcquisition(
  request: RequestBatch,
  visit: (connection: ConnectionId, demands: readonly Demand[], position: number) => void,
): void {
  let at = 0;
  request.connections.forEach((connection, position) => {
    const end = at + request.demandCounts[position]!;
    const demands: Demand[] = [];
    for (; at < end; at++) {
      const demand = {
        key: request.keys[at]!,
        maxCount: request.maxCounts[at]!,
        enforce: request.enforced[at]!,
      };
      const fallback = FALLBACKS[request.fallbacks[at]!];
      demands.push(fallback === undefined ? demand : { ...demand, fallback });
    }
    visit(connection, demands, position);
  });
}

/** Calls `decide` for every acquisition of the batch and gathers the answers. */
export function answer(
  request: RequestBatch,
  decide: (connection: ConnectionId, demands: readonly Demand[]) => Acquisition,
): ReplyBatch {
  const reply: ReplyBatch = { batch: request.batch, outcomes: [], exceeded: [] };
  forEachAcquisition(request, (connection, demands) => addAnswer(reply, decide(connection, demands)));
  return reply;
}

export function addAnswer(reply: ReplyBatch, acquisition: Acquisition): void {
  const place = reply.outcomes.push(outcomeNumber(acquisition)) - 1;
  if (acquisition.outcome !== 'unavailable' && acquisition.exceeded.length > 0)
    reply.exceeded.push([place, acquisition.exceeded]);
}

/** The answer at a place in a reply's outcomes. */
export function acquisitionAt(reply: ReplyBatch, place: number): Acquisition {
  const outcome = reply.outcomes[place]!;
  if (outcome === ADMITTED && reply.exceeded.length === 0) return PLAINLY_ADMITTED;
  if (outcome === UNAVAILABLE) return { outcome: 'unavailable', reason: 'the counter refused to decide' };
  const exceeded = reply.exceeded.find(([at]) => at === place)?.[1] ?? [];
  if (outcome === ADMITTED) return { outcome: 'admitted', exceeded };
  if (outcome === ADMITTED_LOCALLY) return { outcome: 'admitted', exceeded, uncounted: 'Local' };
  if (outcome === ADMITTED_OPENLY) return { outcome: 'admitted', exceeded, uncounted: 'Open' };
  return { outcome: 'rejected', violated: outcome, exceeded };
}

const PLAINLY_ADMITTED: Acquisition = { outcome: 'admitted', exceeded: [] };

function outcomeNumber(acquisition: Acquisition): number {
  if (acquisition.outcome === 'unavailable') return UNAVAILABLE;
  if (acquisition.outcome === 'rejected') return acquisition.violated;
  if (acquisition.uncounted === undefined) return ADMITTED;
  return acquisition.uncounted === 'Local' ? ADMITTED_LOCALLY : ADMITTED_OPENLY;
}
