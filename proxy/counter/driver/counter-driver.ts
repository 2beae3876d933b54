import { Backoff } from '../../../kubernetes/backoff.ts';
import type { Clock } from '../../../kubernetes/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Acquisition, ConnectionId, Demand } from '../counter.ts';
import type { LinkMessage } from '../link/codec.ts';
import { type LinkCounts, Links, type LinkTuning } from '../link/links.ts';
import type { LinkTransport } from '../link/transport.ts';
import type { Incarnation } from '../protocol/lease.ts';
import { CounterNode } from '../protocol/node.ts';
import type { OwnerPhase } from '../protocol/owner.ts';
import type { Settings } from '../protocol/settings.ts';
import type { Effect } from '../protocol/turn.ts';
import type { LeaseSession, LeaseStore } from '../store/lease-store.ts';
import { newIncarnation } from './incarnation.ts';
import { Roster } from './roster.ts';
import { Turns } from './turns.ts';

/** Told within a turn of the protocol: what they call back is handled after it. */
export interface DriverEvents {
  answered(connection: ConnectionId, acquisition: Acquisition): void;
  /** These are not counted any more: they are to be closed now. */
  revoked(connections: readonly ConnectionId[]): void;
  /** Nothing is counted any more, and what is pending gets no answer. */
  lost(): void;
  /** Until when counted connections may be open, by the clock; `-Infinity` when none may. */
  sessionEnds(endMs: number): void;
  delayed(delayMs: number): void;
}

export interface DriverOptions {
  /** Where this process is, such as its Pod: part of the names of its incarnations. */
  readonly place: string;
  readonly settings: Settings;
  readonly store: LeaseStore;
  readonly transport: LinkTransport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly events: DriverEvents;
  readonly linkTuning?: Partial<LinkTuning>;
}

export interface DriverState {
  readonly incarnation: Incarnation;
  /** It has a session that lasts. */
  readonly isMember: boolean;
  /** It can ask for keys of all shards. */
  readonly isReady: boolean;
  /** All members have agreed with it on shares: rules with `failurePolicy: Local` can use them. */
  readonly hasShares: boolean;
  /** Shards that it owns. */
  readonly owned: readonly { readonly shard: number; readonly phase: OwnerPhase }[];
  readonly links: LinkCounts;
}

/** One life of the member. */
interface Life {
  readonly self: Incarnation;
  readonly node: CounterNode;
  readonly turns: Turns;
  readonly links: Links;
  readonly session: LeaseSession;
  readonly roster: Roster;
}

const REBIRTH = { minMs: 50, maxMs: 10_000 };
/** A life that lasted so long was no part of a row of failures. */
const STABLE_AFTER_MS = 60_000;
/** Between two questions to members that have not said whom they know. */
const ROSTER_INTERVAL_MS = 1_000;

/**
 * The counter's member in this process: runs the protocol on a real clock, a store of Leases and links, one
 * incarnation after the other. Whatever goes wrong, it goes on trying to be a member.
 */
export class CounterDriver {
  readonly #options: DriverOptions;
  readonly #backoff: Backoff;
  readonly #stopped = Promise.withResolvers<void>();
  #life: Life | null = null;
  #bornMs = 0;
  #cancelBirth: () => void = () => {};
  #isStopping = false;
  #agreesOnShares = false;
  #cancelRosters: () => void = () => {};

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#backoff = new Backoff(REBIRTH, options.random);
  }

  /** Joins the others. Connections can be asked for at once: until there is a session they are `unavailable`. */
  async start(): Promise<void> {
    const predecessor = await this.#options.store.predecessor();
    if (!this.#isStopping) this.#beBorn(predecessor);
  }

  get state(): DriverState {
    const { settings, clock } = this.#options;
    const life = this.#life;
    if (life === null) return NO_STATE;
    const owned: { shard: number; phase: OwnerPhase }[] = [];
    const isMember = !life.node.member.isInDoubt(clock.now());
    let isReady = isMember;
    for (let shard = 0; shard < settings.shards; shard++) {
      const owner = life.node.owner(shard);
      if (owner !== undefined) owned.push({ shard, phase: owner.phase });
      if (!life.node.member.shard(shard).isKnown) isReady = false;
    }
    const { self, roster, links } = life;
    return {
      incarnation: self,
      isMember,
      isReady,
      hasShares: roster.isAgreed,
      owned,
      links: links.counts,
    };
  }

  /** Connections that are counted for this member. */
  get connectionCount(): number {
    return this.#life?.node.member.connectionCount ?? 0;
  }

  get ownedKeyCount(): number {
    let keys = 0;
    for (let shard = 0; shard < this.#options.settings.shards; shard++)
      keys += this.#life?.node.owner(shard)?.holdings.counts().size ?? 0;
    return keys;
  }

  /** Keys of the shards that this member owns, with the connections of all members. */
  *ownedCounts(): IterableIterator<[key: string, count: number]> {
    for (let shard = 0; shard < this.#options.settings.shards; shard++) {
      const owner = this.#life?.node.owner(shard);
      if (owner !== undefined) yield* owner.holdings.counts();
    }
  }

  /** Answered exactly once, unless everything is lost before. */
  acquire(connection: ConnectionId, demands: readonly Demand[]): void {
    if (this.#life === null) this.#options.events.answered(connection, NOT_YET);
    else this.#life.turns.handle({ type: 'acquire', connection, demands });
  }

  release(connection: ConnectionId): void {
    this.#life?.turns.handle({ type: 'release', connection });
  }

  /** From now on members agree on who may admit how much alone, for rules that ask for it. */
  agreeOnShares(): void {
    if (this.#agreesOnShares) return;
    this.#agreesOnShares = true;
    this.#askForRosters();
  }

  /** How many connections of a key this member may have open while the count is unavailable. */
  localShare(key: string, maxCount: number): number {
    return this.#life?.roster.share(key, maxCount) ?? 0;
  }

  /** Hands over what it owns, and takes no more. Connections are counted as before, until the last one is closed. */
  leave(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#cancelBirth();
    if (this.#life === null) this.#stopped.resolve();
    else this.#life.turns.handle({ type: 'stop' });
  }

  /**
   * Leaves, and ends; resolves when it has left, which is not before the last connection is closed, or when the time is
   * over: then the others find out for themselves.
   */
  async stop(timeoutMs: number): Promise<void> {
    const cancel = this.#options.clock.after(timeoutMs, () => this.#stopped.resolve());
    this.leave();
    await this.#stopped.promise;
    cancel();
    this.#cancelRosters();
    this.#end();
  }

  #beBorn(replaces: Incarnation): void {
    const { place, settings, store, transport, clock, random, log, events, linkTuning } = this.#options;
    const self = newIncarnation(place);
    const node = new CounterNode(self, settings, replaces);
    const turns = new Turns({
      node,
      clock,
      carryOut: (effect) => this.#carryOut(effect),
      onSessionEnd: events.sessionEnds,
      onDelay: events.delayed,
      onBroken: (error) => this.#onBroken(error),
    });
    const links = new Links({
      self,
      transport,
      clock,
      random,
      log,
      limits: settings,
      addressOf: (peer) => store.addressOf(peer),
      onMessages: (from, messages) => this.#onMessages(from, messages),
      ...(linkTuning === undefined ? {} : { tuning: linkTuning }),
    });
    const roster = new Roster(self);
    const session = store.open(
      { incarnation: self, address: transport.address },
      {
        seen: (record) => {
          roster.see(record);
          turns.handle({ type: 'lease-seen', record });
        },
        gone: (name) => turns.handle({ type: 'lease-gone', name }),
        listed: () => turns.handle({ type: 'leases-listed' }),
        died: (incarnation) => {
          roster.remove(incarnation);
          turns.handle({ type: 'died', incarnation });
        },
      },
    );
    this.#life = { self, node, turns, links, session, roster };
    this.#bornMs = clock.now();
    turns.handle({ type: 'wake' });
  }

  #carryOut(effect: Effect): void {
    if (this.#life === null) return;
    const { links, session, turns } = this.#life;
    const { events } = this.#options;
    switch (effect.type) {
      case 'send':
        links.send(effect.to, effect.message);
        return;
      case 'call': {
        const { callId, call } = effect;
        session.call(call, (result) => turns.handle({ type: 'call-result', callId, result }));
        return;
      }
      case 'answer':
        events.answered(effect.connection, effect.acquisition);
        return;
      case 'close':
        events.revoked(effect.connections);
        return;
      case 'finished':
        this.#onFinished(effect.reason);
    }
  }

  #onFinished(reason: 'ended' | 'stopped'): void {
    const { log } = this.#options;
    const { self } = this.#life!;
    if (reason === 'ended') log.warn(`counter: the session of member ${self} was ended; joining anew`);
    this.#end();
    if (this.#isStopping) this.#stopped.resolve();
    else this.#beBornLater(self);
  }

  /** A state that cannot be: what this life knows is not to be trusted, and is thrown away with all that it counted. */
  #onBroken(error: unknown): void {
    const { self } = this.#life!;
    const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.log.error({ error: details }, `counter: member ${self} is broken; joining anew`);
    this.#end();
    if (this.#isStopping) this.#stopped.resolve();
    else this.#beBornLater(self);
  }

  #end(): void {
    const life = this.#life;
    if (life === null) return;
    this.#life = null;
    life.turns.end();
    life.session.close();
    life.links.close();
    this.#options.events.sessionEnds(Number.NEGATIVE_INFINITY);
    this.#options.events.lost();
  }

  #beBornLater(replaces: Incarnation): void {
    const { clock } = this.#options;
    if (clock.now() - this.#bornMs > STABLE_AFTER_MS) this.#backoff.reset();
    this.#cancelBirth = clock.after(this.#backoff.next(), () => this.#beBorn(replaces));
  }

  #onMessages(from: Incarnation, messages: readonly LinkMessage[]): void {
    for (const message of messages) {
      const life = this.#life;
      if (life === null) return;
      if (message.type !== 'roster') {
        life.turns.handle({ type: 'message', from, message });
        continue;
      }
      life.roster.hear(from, message.members);
      if (message.asks)
        life.links.send(from, { type: 'roster', members: life.roster.everybody(), asks: false });
    }
  }

  #askForRosters(): void {
    this.#cancelRosters = this.#options.clock.after(ROSTER_INTERVAL_MS, () => this.#askForRosters());
    if (this.#life === null) return;
    const { roster, links } = this.#life;
    for (const member of roster.unsure())
      links.send(member, { type: 'roster', members: roster.everybody(), asks: true });
  }
}

const NO_STATE: DriverState = {
  incarnation: '',
  isMember: false,
  isReady: false,
  hasShares: false,
  owned: [],
  links: { open: 0, opened: 0, dropped: 0 },
};

const NOT_YET: Acquisition = { outcome: 'unavailable', reason: 'not a member yet' };
