/**
 * Messages between members as text: a frame is a JSON array of messages, a message an array that begins with its
 * letter. What a peer sends is not believed: every element is checked, and anything odd is a {@link FrameError}.
 */
import type { Demand } from '../counter.ts';
import type { HoldingsExport } from '../protocol/holdings.ts';
import type { Incarnation, LeaseName, Token } from '../protocol/lease.ts';
import type { Beat, Decided, DecisionOutcome, Message, ReportedSlot, ToOwner } from '../protocol/messages.ts';

/** Part of the WebSocket subprotocol: peers that have no version in common do not link. */
export const FRAME_VERSION = 1;

/** Which members the sender knows of: see `driver/roster.ts`. */
export interface RosterMessage {
  readonly type: 'roster';
  readonly members: readonly Incarnation[];
  /** The sender wants to know whom the receiver knows of. */
  readonly asks: boolean;
}

export type LinkMessage = Message | RosterMessage;

/** What a peer may name. */
export interface FrameLimits {
  readonly shards: number;
  readonly maxDemands: number;
}

/** A frame that no member would send. */
export class FrameError extends Error {}

const MAX_NAME_LENGTH = 512;
const MAX_KEY_LENGTH = 4096;
const OUTCOMES: readonly DecisionOutcome[] = ['reserved', 'rejected', 'busy', 'over'];

export function encodeFrame(messages: readonly LinkMessage[]): string {
  return JSON.stringify(messages.map(encode));
}

/** @throws FrameError */
export function decodeFrame(text: string, limits: FrameLimits): LinkMessage[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new FrameError('frame: found text that is no JSON, expected an array of messages');
  }
  return listOf(parsed, 'frame', (message) => decode(message, limits));
}

function encode(message: LinkMessage): unknown[] {
  switch (message.type) {
    case 'beat':
      return [
        'b',
        message.sentMs,
        message.leases.map(({ name, token, revision }) => [name, token.uid, token.transitions, revision]),
      ];
    case 'promised':
      return ['p', message.sentMs, message.names];
    case 'claim':
      return ['c', message.name, message.revision];
    case 'claimed':
      return ['C', message.name, message.revision, message.agreed];
    case 'announce': {
      const { shard, owner, token, report } = message;
      return ['a', shard, token.uid, token.transitions, owner, report];
    }
    case 'report':
      return ['r', ...head(message), encodeSlots(message.slots), message.unsettled, message.nextId];
    case 'reserve': {
      const { id, demands, firm, sentMs } = message;
      return ['v', ...head(message), id, demands.map(encodeDemand), firm, sentMs];
    }
    case 'decided': {
      const { shard, token, id, outcome, violated, exceeded, sentMs, validMs } = message;
      const place = OUTCOMES.indexOf(outcome);
      return ['d', shard, token.uid, token.transitions, id, place, violated, exceeded, sentMs, validMs];
    }
    case 'settle':
      return ['s', ...head(message), message.confirmed, message.released];
    case 'settled': {
      const { shard, token, confirmed, released } = message;
      return ['S', shard, token.uid, token.transitions, confirmed, released];
    }
    case 'handover':
      return [
        'h',
        message.shard,
        message.id,
        message.holdings.map(({ member, slots, finished, floor, sequence }) => [
          member,
          encodeSlots(slots),
          finished,
          floor,
          sequence,
        ]),
      ];
    case 'handover-taken':
      return ['H', message.shard, message.id, message.taken];
    case 'outdated':
      return ['o', message.shard, message.token.uid, message.token.transitions];
    case 'roster':
      return ['R', message.members, message.asks];
  }
}

function head({ shard, token, sequence, floor }: ToOwner): unknown[] {
  return [shard, token.uid, token.transitions, sequence, floor];
}

function encodeSlots(slots: readonly ReportedSlot[]): unknown[] {
  return slots.map(({ id, keys, firm }) => [id, keys, firm]);
}

function encodeDemand({ key, maxCount, enforce }: Demand): unknown[] {
  return [key, maxCount, enforce];
}

function decode(value: unknown, limits: FrameLimits): LinkMessage {
  if (!Array.isArray(value)) throw wrong('message', value, 'an array');
  switch (value[0]) {
    case 'b': {
      const [, sentMs, leases] = fields(value, 3);
      return { type: 'beat', sentMs: time(sentMs, 'sentMs'), leases: decodeLeases(leases, limits) };
    }
    case 'p': {
      const [, sentMs, names] = fields(value, 3);
      const name = (item: unknown) => leaseName(item, limits);
      return { type: 'promised', sentMs: time(sentMs, 'sentMs'), names: listOf(names, 'names', name) };
    }
    case 'c': {
      const [, name, revision] = fields(value, 3);
      return { type: 'claim', name: leaseName(name, limits), revision: integer(revision, 'revision') };
    }
    case 'C': {
      const [, name, revision, agreed] = fields(value, 4);
      return {
        type: 'claimed',
        name: leaseName(name, limits),
        revision: integer(revision, 'revision', -1),
        agreed: flag(agreed, 'agreed'),
      };
    }
    case 'a': {
      const [, , , , owner, report] = fields(value, 6);
      return {
        type: 'announce',
        ...shardAndToken(value, limits),
        owner: incarnation(owner, 'owner'),
        report: flag(report, 'report'),
      };
    }
    case 'r': {
      const [, , , , , , slots, unsettled, nextId] = fields(value, 9);
      return {
        type: 'report',
        ...toOwner(value, limits),
        slots: decodeSlots(slots),
        unsettled: slotIds(unsettled, 'unsettled'),
        nextId: integer(nextId, 'nextId', 1),
      };
    }
    case 'v': {
      const [, , , , , , id, demands, firm, sentMs] = fields(value, 10);
      return {
        type: 'reserve',
        ...toOwner(value, limits),
        id: integer(id, 'id', 1),
        demands: decodeDemands(demands, limits),
        firm: flag(firm, 'firm'),
        sentMs: time(sentMs, 'sentMs'),
      };
    }
    case 'd':
      return decodeDecided(fields(value, 10), limits);
    case 's': {
      const [, , , , , , confirmed, released] = fields(value, 8);
      return {
        type: 'settle',
        ...toOwner(value, limits),
        confirmed: slotIds(confirmed, 'confirmed'),
        released: slotIds(released, 'released'),
      };
    }
    case 'S': {
      const [, , , , confirmed, released] = fields(value, 6);
      return {
        type: 'settled',
        ...shardAndToken(value, limits),
        confirmed: slotIds(confirmed, 'confirmed'),
        released: slotIds(released, 'released'),
      };
    }
    case 'h': {
      const [, shard, id, holdings] = fields(value, 4);
      return {
        type: 'handover',
        shard: shardNumber(shard, limits),
        id: text(id, 'id', MAX_NAME_LENGTH),
        holdings: decodeHoldings(holdings),
      };
    }
    case 'H': {
      const [, shard, id, taken] = fields(value, 4);
      return {
        type: 'handover-taken',
        shard: shardNumber(shard, limits),
        id: text(id, 'id', MAX_NAME_LENGTH),
        taken: flag(taken, 'taken'),
      };
    }
    case 'o':
      return { type: 'outdated', ...shardAndToken(fields(value, 4), limits) };
    case 'R': {
      const [, members, asks] = fields(value, 3);
      return {
        type: 'roster',
        members: listOf(members, 'members', (item) => incarnation(item, 'members')),
        asks: flag(asks, 'asks'),
      };
    }
    default:
      throw wrong('message', value[0], 'the letter of a message');
  }
}

function decodeDecided(items: readonly unknown[], limits: FrameLimits): Decided {
  const [, , , , id, place, violated, exceeded, sentMs, validMs] = items;
  const outcome = OUTCOMES[integer(place, 'outcome', 0, OUTCOMES.length - 1)]!;
  const most = limits.maxDemands - 1;
  return {
    type: 'decided',
    ...shardAndToken(items, limits),
    id: integer(id, 'id', 1),
    outcome,
    violated: integer(violated, 'violated', outcome === 'rejected' ? 0 : -1, most),
    exceeded: listOf(exceeded, 'exceeded', (index) => integer(index, 'exceeded', 0, most)),
    sentMs: time(sentMs, 'sentMs'),
    validMs: time(validMs, 'validMs'),
  };
}

function decodeLeases(value: unknown, limits: FrameLimits): Beat['leases'] {
  return listOf(value, 'leases', (lease) => {
    const [name, uid, transitions, revision] = tuple(lease, 'leases', 4);
    return {
      name: leaseName(name, limits),
      token: token(uid, transitions),
      revision: integer(revision, 'revision'),
    };
  });
}

function fields(message: readonly unknown[], length: number): readonly unknown[] {
  if (message.length !== length) throw wrong(`message ${message[0]}`, message.length, `${length} elements`);
  return message;
}

function shardAndToken(items: readonly unknown[], limits: FrameLimits): { shard: number; token: Token } {
  return { shard: shardNumber(items[1], limits), token: token(items[2], items[3]) };
}

function toOwner(items: readonly unknown[], limits: FrameLimits): ToOwner {
  return {
    ...shardAndToken(items, limits),
    sequence: integer(items[4], 'sequence'),
    floor: integer(items[5], 'floor'),
  };
}

function decodeDemands(value: unknown, { maxDemands }: FrameLimits): Demand[] {
  const demands = listOf(value, 'demands', (demand) => {
    const [key, maxCount, enforce] = tuple(demand, 'demands', 3);
    return {
      key: text(key, 'key', MAX_KEY_LENGTH),
      maxCount: integer(maxCount, 'maxCount'),
      enforce: flag(enforce, 'enforce'),
    };
  });
  if (demands.length === 0 || demands.length > maxDemands)
    throw wrong('demands', demands.length, `1 to ${maxDemands} of them`);
  return demands;
}

function decodeSlots(value: unknown): ReportedSlot[] {
  return listOf(value, 'slots', (slot) => {
    const [id, keys, firm] = tuple(slot, 'slots', 3);
    return {
      id: integer(id, 'id', 1),
      keys: listOf(keys, 'keys', (key) => text(key, 'keys', MAX_KEY_LENGTH)),
      firm: flag(firm, 'firm'),
    };
  });
}

function decodeHoldings(value: unknown): HoldingsExport {
  return listOf(value, 'holdings', (holding) => {
    const [member, slots, finished, floor, sequence] = tuple(holding, 'holdings', 5);
    return {
      member: incarnation(member, 'member'),
      slots: decodeSlots(slots),
      finished: slotIds(finished, 'finished'),
      floor: integer(floor, 'floor'),
      sequence: integer(sequence, 'sequence'),
    };
  });
}

function token(uid: unknown, transitions: unknown): Token {
  return { uid: text(uid, 'uid', MAX_NAME_LENGTH), transitions: integer(transitions, 'transitions') };
}

function leaseName(value: unknown, limits: FrameLimits): LeaseName {
  const name = text(value, 'name', MAX_NAME_LENGTH);
  if (name.startsWith('member/')) incarnation(name.slice('member/'.length), 'name');
  else if (!/^shard\/(0|[1-9]\d{0,2})$/.test(name) || Number(name.slice('shard/'.length)) >= limits.shards)
    throw wrong('name', name, `member/… or shard/0 to shard/${limits.shards - 1}`);
  return name;
}

function incarnation(value: unknown, field: string): Incarnation {
  const name = text(value, field, MAX_NAME_LENGTH);
  if (!isIncarnation(name)) throw wrong(field, name, 'the name of an incarnation');
  return name;
}

/** Lower-case letters, digits, dots and dashes: fit for names of Kubernetes objects, headers and files. */
export function isIncarnation(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text);
}

function shardNumber(value: unknown, { shards }: FrameLimits): number {
  return integer(value, 'shard', 0, shards - 1);
}

function slotIds(value: unknown, field: string): number[] {
  return listOf(value, field, (id) => integer(id, field, 1));
}

function integer(value: unknown, field: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
    throw wrong(field, value, `an integer from ${least} to ${most}`);
  return value as number;
}

function time(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(field, value, 'milliseconds');
  return value;
}

function flag(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw wrong(field, value, 'true or false');
  return value;
}

function text(value: unknown, field: string, maxLength: number): string {
  if (typeof value !== 'string') throw wrong(field, value, 'a text');
  if (value.length > maxLength) throw wrong(`${field}.length`, value.length, `at most ${maxLength}`);
  return value;
}

function tuple(value: unknown, field: string, length: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length)
    throw wrong(field, value, `an array of ${length} elements`);
  return value;
}

function listOf<T>(value: unknown, field: string, read: (item: unknown) => T): T[] {
  if (!Array.isArray(value)) throw wrong(field, value, 'an array');
  return value.map(read);
}

/** Says the kind of what was found, never the whole of it: it may hold a key, thus a user's name. */
function wrong(field: string, found: unknown, expected: string): FrameError {
  const shown = typeof found === 'number' || typeof found === 'boolean' ? String(found) : kindOf(found);
  return new FrameError(`${field}: found ${shown}, expected ${expected}`);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return `a ${typeof value}`;
}
