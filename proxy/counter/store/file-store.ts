import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Clock } from '../../../kubernetes/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import {
  type Incarnation,
  type LeaseDraft,
  type LeaseName,
  type LeaseRecord,
  memberLease,
  memberOf,
  shardLease,
} from '../protocol/lease.ts';
import { type Settings, termsOf } from '../protocol/settings.ts';
import type { LeaseCall, LeaseResult } from '../protocol/turn.ts';
import { FREE_SHARD } from './lease-object.ts';
import type { LeaseSession, LeaseStore, LeaseWatcher, MemberPlace } from './lease-store.ts';
import { isGone, type LocalProcess, thisProcess } from './local-process.ts';
import { MembersDirectoryError } from './members-directory.ts';

export interface FileStoreOptions {
  /** Prepared by `prepareMembersDirectory`. */
  readonly directory: string;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  /** Between two looks at what others wrote. */
  readonly pollMs?: number;
}

/** Of the tables; another one is not touched. */
const FORMAT = 1;
const FILE = 'leases.db';
const POLL_MS = 50;
/** Between two tries to get at the file while another process writes. */
const BUSY_RETRY_MS = 5;
/** Between two looks at which processes are there. */
const OBITUARY_INTERVAL_MS = 500;

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

/** What a member leaves with its Lease. */
interface Traces {
  readonly address: string;
  readonly process: LocalProcess | null;
}

interface Row {
  readonly name: LeaseName;
  readonly uid: string;
  readonly version: number;
  readonly draft: string;
  readonly traces: string | null;
}

interface Subscription {
  readonly self: MemberPlace;
  readonly watcher: LeaseWatcher;
  /** Versions that were shown. */
  readonly shown: Map<LeaseName, number>;
  readonly dead: Set<Incarnation>;
  isListed: boolean;
}

/**
 * Leases in a file, for several processes of one machine. The file is an SQLite database: its locks are the kernel's,
 * so that they end with the process that holds them, however it ends; a write is there as a whole or not at all.
 *
 * A process that is stopped (SIGSTOP) in the middle of a write keeps the others from writing until it goes on or is
 * killed: to them the store is away, which the protocol is made for.
 */
export class FileStore implements LeaseStore {
  readonly #database: DatabaseSync;
  readonly #options: FileStoreOptions;
  readonly #process = thisProcess();
  readonly #subscriptions = new Set<Subscription>();
  readonly #traces = new Map<Incarnation, Traces>();
  /** Members whose Lease is not there, and since when. */
  readonly #absent = new Map<Incarnation, number>();
  readonly #dataVersion: StatementSync;
  readonly #selectAll: StatementSync;
  readonly #select: StatementSync;
  readonly #write: StatementSync;
  readonly #delete: StatementSync;
  readonly #nextVersion: StatementSync;
  #seenVersion = -1;
  #nextObituaryMs = Number.NEGATIVE_INFINITY;
  #cancelPoll: () => void = () => {};
  #isClosed = false;
  #saidBroken = false;

  /** @throws MembersDirectoryError where the folder cannot hold a store, or holds one that does not fit */
  constructor(options: FileStoreOptions) {
    this.#options = options;
    const path = join(options.directory, FILE);
    try {
      this.#database = new DatabaseSync(path, { timeout: options.settings.callTimeoutMs });
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      this.#prepare();
      this.#dataVersion = this.#database.prepare('PRAGMA data_version');
      this.#selectAll = this.#database.prepare('SELECT * FROM leases ORDER BY version');
      this.#select = this.#database.prepare('SELECT * FROM leases WHERE name = ?');
      this.#write = this.#database.prepare(
        'INSERT OR REPLACE INTO leases (name, uid, version, draft, traces) VALUES (?, ?, ?, ?, ?)',
      );
      this.#delete = this.#database.prepare('DELETE FROM leases WHERE name = ?');
      this.#nextVersion = this.#database.prepare(
        'UPDATE store SET version = version + 1 WHERE terms = ? RETURNING version',
      );
    } catch (error) {
      if (error instanceof MembersDirectoryError) throw error;
      throw new MembersDirectoryError(
        `members directory ${options.directory}: ${FILE} cannot be used (${(error as Error).message}); ` +
          'expected a file system whose locks hold; remove the folder if no member runs',
      );
    }
    this.#poll();
  }

  /** Processes prove their death by being gone: see {@link LeaseWatcher.died}. */
  predecessor(): Promise<Incarnation> {
    return Promise.resolve('');
  }

  open(self: MemberPlace, watcher: LeaseWatcher): LeaseSession {
    const subscription: Subscription = { self, watcher, shown: new Map(), dead: new Set(), isListed: false };
    this.#subscriptions.add(subscription);
    this.#seenVersion = -1;
    this.#traces.set(self.incarnation, { address: self.address, process: this.#process });
    return {
      call: (call, answer) => {
        const deadlineMs = this.#options.clock.now() + this.#options.settings.callTimeoutMs;
        const answerOnce = (result: LeaseResult) => {
          if (this.#subscriptions.has(subscription)) answer(result);
        };
        queueMicrotask(() => this.#attempt(call, deadlineMs, answerOnce));
      },
      close: () => this.#subscriptions.delete(subscription),
    };
  }

  addressOf(incarnation: Incarnation): string | undefined {
    return this.#traces.get(incarnation)?.address;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelPoll();
    this.#subscriptions.clear();
    this.#database.close();
  }

  /** Makes the tables, or looks whether those that are there fit. */
  #prepare(): void {
    const { directory, settings } = this.#options;
    const terms = termsOf(settings);
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const format = (this.#database.prepare('PRAGMA user_version').get() as { user_version: number })
        .user_version;
      if (format !== 0 && format !== FORMAT)
        throw new MembersDirectoryError(
          `members directory ${directory}: found a store of format ${format}, expected ${FORMAT}; ` +
            'all members have to be of the same release',
        );
      if (format === 0) this.#create(terms);
      const found = this.#database.prepare('SELECT terms FROM store').get() as { terms: string };
      if (found.terms !== terms) this.#renew(terms);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#database.exec('PRAGMA busy_timeout = 0');
  }

  /** The store is known to be new, so nobody owns a shard: they are free from the start. */
  #create(terms: string): void {
    const { shards } = this.#options.settings;
    this.#database.exec(`
      CREATE TABLE store (terms TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
      CREATE TABLE leases (
        name TEXT PRIMARY KEY, uid TEXT NOT NULL, version INTEGER NOT NULL, draft TEXT NOT NULL, traces TEXT
      ) STRICT;
      PRAGMA user_version = ${FORMAT};
    `);
    this.#database.prepare('INSERT INTO store VALUES (?, ?)').run(terms, shards);
    const insert = this.#database.prepare('INSERT INTO leases VALUES (?, ?, ?, ?, NULL)');
    for (let shard = 0; shard < shards; shard++)
      insert.run(shardLease(shard), randomUUID(), shard + 1, JSON.stringify(FREE_SHARD));
  }

  /** Other settings are possible as soon as nobody works by the old ones. */
  #renew(terms: string): void {
    const rows = this.#database.prepare('SELECT * FROM leases').all() as unknown as Row[];
    for (const { name, traces, draft } of rows) {
      if (memberOf(name) === null || (JSON.parse(draft) as LeaseDraft).phase !== 'held') continue;
      const member = traces === null ? null : (JSON.parse(traces) as Traces).process;
      if (member !== null && this.#process !== null && isGone(member, this.#process)) continue;
      throw new MembersDirectoryError(
        `members directory ${this.#options.directory}: found ${name} with other settings of the counter, ` +
          `expected the same for all; stop it first`,
      );
    }
    this.#database.exec('DROP TABLE leases; DROP TABLE store;');
    this.#create(terms);
  }

  #attempt(call: LeaseCall, deadlineMs: number, answer: (result: LeaseResult) => void): void {
    if (this.#isClosed) return;
    try {
      answer(this.#carryOut(call));
    } catch (error) {
      const { clock } = this.#options;
      if (isBusy(error) && clock.now() + BUSY_RETRY_MS < deadlineMs) {
        clock.after(BUSY_RETRY_MS, () => this.#attempt(call, deadlineMs, answer));
        return;
      }
      this.#broken(error);
      answer({ outcome: 'unknown' });
    }
  }

  #carryOut(call: LeaseCall): LeaseResult {
    if (call.kind === 'get') {
      const row = this.#select.get(call.name) as unknown as Row | undefined;
      return { outcome: 'done', record: row === undefined ? null : recordOf(row) };
    }
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = this.#change(call);
      this.#database.exec('COMMIT');
      // Own writes are to be seen as well, and do not change the data version.
      this.#seenVersion = -1;
      return result;
    } finally {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    }
  }

  #change(call: Exclude<LeaseCall, { kind: 'get' }>): LeaseResult {
    const row = this.#select.get(call.name) as unknown as Row | undefined;
    if (call.kind === 'create') {
      if (row !== undefined) return { outcome: 'refused' };
      return { outcome: 'done', record: this.#put(call.name, randomUUID(), call.draft) };
    }
    const { uid, resourceVersion } = call.expected;
    if (row?.uid !== uid || String(row.version) !== resourceVersion) return { outcome: 'refused' };
    if (call.kind === 'update') return { outcome: 'done', record: this.#put(call.name, uid, call.draft) };
    this.#delete.run(call.name);
    return { outcome: 'done', record: null };
  }

  #put(name: LeaseName, uid: string, draft: LeaseDraft): LeaseRecord {
    const next = this.#nextVersion.get(termsOf(this.#options.settings)) as { version: number } | undefined;
    if (next === undefined) throw new Error('the store was made anew for other settings of the counter');
    const { version } = next;
    const traces = this.#traces.get(memberOf(name) ?? '');
    this.#write.run(
      name,
      uid,
      version,
      JSON.stringify(draft),
      traces === undefined ? null : JSON.stringify(traces),
    );
    return { ...draft, name, uid, resourceVersion: String(version) };
  }

  #poll(): void {
    try {
      this.#look();
      this.#saidBroken = false;
    } catch (error) {
      if (!isBusy(error)) this.#broken(error);
    }
    if (this.#isClosed) return;
    this.#cancelPoll = this.#options.clock.after(this.#options.pollMs ?? POLL_MS, () => this.#poll());
  }

  /** Shows what has changed since the last look, to everybody who watches. */
  #look(): void {
    const { data_version: dataVersion } = this.#dataVersion.get() as { data_version: number };
    if (dataVersion !== this.#seenVersion) this.#read(dataVersion);
    const nowMs = this.#options.clock.now();
    if (nowMs < this.#nextObituaryMs) return;
    this.#nextObituaryMs = nowMs + OBITUARY_INTERVAL_MS;
    for (const subscription of [...this.#subscriptions]) this.#announceDeaths(subscription);
  }

  #read(dataVersion: number): void {
    const rows = this.#selectAll.all() as unknown as Row[];
    this.#seenVersion = dataVersion;
    for (const { name, traces } of rows) {
      const member = memberOf(name);
      if (member !== null && traces !== null) this.#traces.set(member, JSON.parse(traces));
    }
    for (const subscription of [...this.#subscriptions]) this.#show(subscription, rows);
    this.#forgetOld(this.#options.clock.now(), new Set(rows.map(({ name }) => name)));
  }

  #show(subscription: Subscription, rows: readonly Row[]): void {
    const { shown, watcher } = subscription;
    const there = new Set<LeaseName>();
    for (const row of rows) {
      there.add(row.name);
      if (shown.get(row.name) === row.version) continue;
      shown.set(row.name, row.version);
      watcher.seen(recordOf(row));
    }
    for (const name of [...shown.keys()]) {
      if (there.has(name)) continue;
      shown.delete(name);
      watcher.gone(name);
    }
    if (!subscription.isListed) watcher.listed();
    subscription.isListed = true;
  }

  #announceDeaths({ watcher, dead }: Subscription): void {
    if (this.#process === null) return;
    for (const [incarnation, { process }] of this.#traces) {
      if (process === null || dead.has(incarnation) || !isGone(process, this.#process)) continue;
      dead.add(incarnation);
      watcher.died(incarnation);
    }
  }

  /** Keeps what is known of a member for longer than anybody may name it. */
  #forgetOld(nowMs: number, there: ReadonlySet<LeaseName>): void {
    for (const incarnation of this.#traces.keys()) {
      const sinceMs = this.#absent.get(incarnation);
      if (there.has(memberLease(incarnation)) || this.#isOwn(incarnation)) this.#absent.delete(incarnation);
      else if (sinceMs === undefined) this.#absent.set(incarnation, nowMs);
      else if (nowMs - sinceMs > 2 * this.#options.settings.markerMs) {
        this.#traces.delete(incarnation);
        this.#absent.delete(incarnation);
        for (const { dead } of this.#subscriptions) dead.delete(incarnation);
      }
    }
  }

  #isOwn(incarnation: Incarnation): boolean {
    for (const { self } of this.#subscriptions) if (self.incarnation === incarnation) return true;
    return false;
  }

  #broken(error: unknown): void {
    if (this.#saidBroken) return;
    this.#saidBroken = true;
    const { directory } = this.#options;
    this.#options.log.warn(`members directory ${directory}: ${FILE}: ${(error as Error).message}`);
  }
}

/** The file is only written by members of this release: it is not checked again. */
function recordOf({ name, uid, version, draft }: Row): LeaseRecord {
  return { ...(JSON.parse(draft) as LeaseDraft), name, uid, resourceVersion: String(version) };
}

function isBusy(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode !== undefined && [SQLITE_BUSY, SQLITE_LOCKED].includes(errcode & 0xff);
}
