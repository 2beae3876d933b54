import {
  type Incarnation,
  type LeaseName,
  type LeaseRecord,
  memberLease,
  memberOf,
  shardLease,
} from './lease.ts';
import type { Settings } from './settings.ts';
import { followerWaitMs } from './settings.ts';

export interface Sighting {
  /** `null`: absent. */
  readonly record: LeaseRecord | null;
  /** What was known before it was gone. */
  readonly last: LeaseRecord | null;
  /** When this member first saw it so, by its own clock. */
  readonly sinceMs: number;
}

/** What one member has seen of all Leases, and since when: never what clocks of others say. */
export class Directory {
  readonly #settings: Settings;
  readonly #sightings = new Map<LeaseName, Sighting>();
  readonly #joinedMs = new Map<Incarnation, number>();
  readonly #over = new Map<Incarnation, number>();
  readonly #died = new Map<Incarnation, number>();
  #isListed = false;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get isListed(): boolean {
    return this.#isListed;
  }

  /** The watch has shown all there is: from now on what was not shown is known to be absent. */
  onListed(nowMs: number): void {
    this.#isListed = true;
    for (let shard = 0; shard < this.#settings.shards; shard++) this.#expect(shardLease(shard), nowMs);
  }

  /** A member that must have a Lease, since somebody names it. */
  expectMember(incarnation: Incarnation, nowMs: number): void {
    if (!this.isOver(incarnation)) this.#expect(memberLease(incarnation), nowMs);
  }

  /** Returns whether it is news. */
  see(record: LeaseRecord, nowMs: number): boolean {
    const known = this.#sightings.get(record.name);
    const current = known?.record ?? null;
    if (current !== null && current.uid === record.uid) {
      if (record.revision < current.revision) return false;
      if (record.resourceVersion === current.resourceVersion) return false;
    }
    this.#sightings.set(record.name, { record, last: record, sinceMs: nowMs });
    const member = memberOf(record.name);
    if (member === null) return true;
    if (record.replaces !== '') this.seeDied(record.replaces, nowMs);
    if (record.phase !== 'held') this.#over.set(member, nowMs);
    else if (!this.#joinedMs.has(member)) this.#joinedMs.set(member, nowMs);
    return true;
  }

  seeGone(name: LeaseName, nowMs: number): void {
    const known = this.#sightings.get(name);
    const member = memberOf(name);
    if (member !== null && (this.isOver(member) || known === undefined)) {
      this.#sightings.delete(name);
      this.#joinedMs.delete(member);
    } else if (known?.record !== null) {
      this.#sightings.set(name, { record: null, last: known?.last ?? null, sinceMs: nowMs });
    }
  }

  seeDied(incarnation: Incarnation, nowMs: number): void {
    if (!this.#died.has(incarnation)) this.#died.set(incarnation, nowMs);
    this.#over.set(incarnation, nowMs);
  }

  sighting(name: LeaseName): Sighting | undefined {
    return this.#sightings.get(name);
  }

  sightings(): Iterable<[LeaseName, Sighting]> {
    return this.#sightings;
  }

  /** The member's session has certainly ended: it holds nothing any more. */
  isOver(incarnation: Incarnation): boolean {
    return this.#over.has(incarnation);
  }

  hasDied(incarnation: Incarnation): boolean {
    return this.#died.has(incarnation);
  }

  /** The process is gone, and what it promised before has run out. */
  isBeyondPromises(incarnation: Incarnation, nowMs: number): boolean {
    const diedMs = this.#died.get(incarnation);
    return diedMs !== undefined && nowMs - diedMs >= followerWaitMs(this.#settings);
  }

  /** A holder whose own duration is certainly over, unless promises carry it. */
  isSilent(sighting: Sighting, nowMs: number): boolean {
    return nowMs - sighting.sinceMs >= followerWaitMs(this.#settings);
  }

  /** Members that seem to be there. */
  live(nowMs: number): Incarnation[] {
    const live: Incarnation[] = [];
    for (const [name, sighting] of this.#sightings) {
      const member = memberOf(name);
      if (member === null || this.isOver(member) || this.isSilent(sighting, nowMs)) continue;
      if (sighting.record !== null) live.push(member);
    }
    return live;
  }

  /** Members that seem to be there and may be given shards. */
  candidates(nowMs: number): Incarnation[] {
    return this.live(nowMs).filter((m) => !this.#sightings.get(memberLease(m))?.record?.draining);
  }

  /** How long a member has been seen. */
  ageMs(incarnation: Incarnation, nowMs: number): number {
    const joinedMs = this.#joinedMs.get(incarnation);
    return joinedMs === undefined ? 0 : nowMs - joinedMs;
  }

  forgetOld(nowMs: number): void {
    // Twice the life of a marker: nobody names the member any more.
    const retentionMs = 2 * this.#settings.markerMs;
    for (const map of [this.#over, this.#died]) {
      for (const [member, sinceMs] of map) {
        if (nowMs - sinceMs > retentionMs && !this.#sightings.has(memberLease(member))) map.delete(member);
      }
    }
  }

  #expect(name: LeaseName, nowMs: number): void {
    if (!this.#isListed || this.#sightings.has(name)) return;
    this.#sightings.set(name, { record: null, last: null, sinceMs: nowMs });
  }
}
