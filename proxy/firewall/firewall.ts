import type { RuleList } from '../config/snapshot.ts';
import type { Acquisition, Counter, Demand } from '../counter/counter.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { keyOf } from './key.ts';
import {
  type CompiledList,
  type CompiledRule,
  compileList,
  countedValue,
  DECISIONS,
  decisionFamily,
  type FirewallClient,
  rejectionMessage,
} from './rules.ts';
import type { TotalsReporter } from './totals.ts';

export interface Admitted {
  readonly admitted: true;
  /** After this long the connection is to be closed; 0 is never. */
  readonly maxLifetimeMs: number;
  /** Call when the connection is closed because its lifetime is over. */
  expired(): void;
  /**
   * Sets what closes the connection if its slots are lost, to be given to others: at once, with a code that makes
   * clients reconnect. The last one that is set counts.
   */
  onRevoked(close: () => void): void;
  /** Gives the slots back. Call when the client's socket is gone (or the request is over); once or more often. */
  release(): void;
}

export interface Refused {
  readonly admitted: false;
  readonly status: 429 | 503;
  readonly reason: 'too_many_connections' | 'count_unavailable';
  readonly ruleList: string;
  readonly rule: string;
  /** For the client: what is limited to how much, never who the client is. */
  readonly message: string;
  readonly retryAfterSeconds: number;
}

export type Admission = Admitted | Refused;

/**
 * `connection`: a WebSocket, an event stream, a TCP or TLS connection.
 * `request`: a plain exchange, counted only by lists with `countRequests`.
 */
export type AdmissionKind = 'connection' | 'request';

/**
 * The connection-count rules of one worker. Stands behind access control, authentication and routing.
 *
 * Rules are decided in order, the lists as they apply to the route and the rules as they stand in their list; a
 * connection that any enforced rule refuses leaves no trace on the others. A list in dry run counts and reports.
 *
 * When the count cannot be known: `Closed` answers 503, `Local` admits up to this process's share of `maxCount`, `Open`
 * admits. The counter sees to the latter two, so that what they admit counts as soon as it can be counted; here they
 * are only applied where the counter itself does not answer.
 */
export class Firewall {
  readonly #counter: Counter;
  readonly #metrics: Metrics;
  readonly #totals: TotalsReporter;
  readonly #unenforced;
  #lists: ReadonlyMap<string, CompiledList> = new Map();
  readonly #log: Pick<Log, 'warn'>;
  readonly #now: () => number;
  #saidUnenforcedMs = Number.NEGATIVE_INFINITY;
  #lastConnection = 0;

  constructor(options: {
    readonly counter: Counter;
    readonly metrics: Metrics;
    readonly totals: TotalsReporter;
    readonly log: Pick<Log, 'warn'>;
    /** Milliseconds, monotonic; for tests. */
    readonly now?: () => number;
  }) {
    this.#log = options.log;
    this.#now = options.now ?? (() => performance.now());
    this.#counter = options.counter;
    this.#metrics = options.metrics;
    this.#totals = options.totals;
    this.#unenforced = this.#metrics
      .counter(
        'sluice_firewall_unenforced_total',
        'Connections admitted uncounted because the count was unavailable and failurePolicy is Open.',
      )
      .labels();
  }

  /** Takes over the rule lists of a snapshot. Counts stay: they belong to keys, not to rules. */
  apply(ruleLists: readonly RuleList[]): void {
    const previous = this.#lists;
    this.#lists = new Map(ruleLists.map((list) => [list.id, compileList(list, this.#metrics, this.#totals)]));
    this.#forgetSeries(previous);
  }

  /**
   * Asks for admission. Synchronous when no rule has to be counted. A caller whose client leaves while the answer is
   * pending still gets it, and releases it. An id of a list that is gone by now (reloaded meanwhile) is passed over.
   */
  admit(
    ruleListIds: readonly string[],
    kind: AdmissionKind,
    client: FirewallClient,
  ): Admission | Promise<Admission> {
    const demands: Demand[] = [];
    const rules: CompiledRule[] = [];
    const counting: CompiledList[] = [];
    let shortest: CompiledList | null = null;
    for (const id of ruleListIds) {
      const compiled = this.#lists.get(id);
      if (compiled === undefined) continue;
      const { list } = compiled;
      if (kind === 'request' && !list.countRequests) continue;
      if (kind === 'connection') shortest = shorter(shortest, compiled);
      const before = demands.length;
      for (const rule of compiled.rules) {
        const value = countedValue(rule.rule, client);
        if (value === undefined) continue;
        rules.push(rule);
        const { maxCount } = rule.rule;
        demands.push({ key: keyOf(rule.prefix, value), maxCount, enforce: rule.enforce, ...rule.fallback });
      }
      if (demands.length > before) counting.push(compiled);
    }
    if (demands.length === 0) return this.#uncounted(shortest);
    const connection = ++this.#lastConnection;
    const slot = new Slot(connection);
    return this.#counter
      .acquire(connection, demands, () => slot.revoke())
      .then((acquisition) => this.#conclude(acquisition, slot, rules, counting, shortest));
  }

  #conclude(
    acquisition: Acquisition,
    slot: Slot,
    rules: readonly CompiledRule[],
    counting: readonly CompiledList[],
    shortest: CompiledList | null,
  ): Admission {
    if (acquisition.outcome === 'unavailable') return this.#withoutCount(rules, shortest);
    for (const index of acquisition.exceeded) rules[index]!.dryRunExceeded.add();
    if (acquisition.outcome === 'rejected') {
      const rule = rules[acquisition.violated]!;
      rule.rejected.add();
      this.#totals.of(rule.list.id).rejected++;
      this.#totals.changed(rule.list.id);
      return refused(rule, 429);
    }
    if (acquisition.uncounted !== undefined) {
      for (const rule of rules) rule.unavailable.add();
      if (acquisition.uncounted === 'Open') this.#tellUnenforced();
    } else {
      for (let index = 0; index < rules.length; index++) {
        if (!acquisition.exceeded.includes(index)) rules[index]!.admitted.add();
      }
    }
    return this.#held(slot, counting, shortest);
  }

  #withoutCount(rules: readonly CompiledRule[], shortest: CompiledList | null): Admission {
    let closed: CompiledRule | undefined;
    let open = false;
    for (const rule of rules) {
      rule.unavailable.add();
      if (!rule.enforce) continue;
      if (rule.list.failurePolicy === 'Open') open = true;
      else closed ??= rule;
    }
    if (closed !== undefined) return refused(closed, 503);
    if (open) this.#tellUnenforced();
    return this.#uncounted(shortest);
  }

  #tellUnenforced(): void {
    this.#unenforced.add();
    if (this.#now() - this.#saidUnenforcedMs < UNENFORCED_LOG_INTERVAL_MS) return;
    this.#saidUnenforcedMs = this.#now();
    this.#log.warn(
      'the count is unavailable: connections are admitted without it, as failurePolicy Open asks',
    );
  }

  #held(slot: Slot, counting: readonly CompiledList[], shortest: CompiledList | null): Admitted {
    for (const list of counting) this.#count(list, 1);
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      for (const list of counting) this.#count(list, -1);
      this.#counter.release(slot.connection);
    };
    return { ...this.#uncounted(shortest), release, onRevoked: (close) => slot.onRevoked(close) };
  }

  #uncounted(shortest: CompiledList | null): Admitted {
    if (shortest === null) return UNCOUNTED;
    const { list, totals } = shortest;
    const expired = () => {
      totals.disconnected++;
      this.#totals.changed(list.id);
    };
    return { ...UNCOUNTED, maxLifetimeMs: list.maxLifetimeMs, expired };
  }

  #count({ list, totals }: CompiledList, step: 1 | -1): void {
    totals.connections += step;
    this.#totals.changed(list.id);
  }

  #forgetSeries(previous: ReadonlyMap<string, CompiledList>): void {
    const family = decisionFamily(this.#metrics);
    for (const { list, rules } of previous.values()) {
      const current = this.#lists.get(list.id);
      for (const { rule } of rules) {
        if (current?.rules.some((kept) => kept.rule.name === rule.name)) continue;
        for (const decision of DECISIONS) family.remove(list.id, rule.name, decision);
      }
    }
  }
}

/** The metric says how many; the log that it happens. */
const UNENFORCED_LOG_INTERVAL_MS = 60_000;

function nothing(): void {}

const UNCOUNTED: Admitted = {
  admitted: true,
  maxLifetimeMs: 0,
  release: nothing,
  expired: nothing,
  onRevoked: nothing,
};

/** What one connection holds of the counter, until it gives it back or loses it. */
class Slot {
  readonly connection: number;
  #isLost = false;
  #close: () => void = nothing;

  constructor(connection: number) {
    this.connection = connection;
  }

  onRevoked(close: () => void): void {
    this.#close = close;
    if (this.#isLost) close();
  }

  revoke(): void {
    this.#isLost = true;
    this.#close();
  }
}

function shorter(shortest: CompiledList | null, compiled: CompiledList): CompiledList | null {
  const { maxLifetimeMs } = compiled.list;
  if (maxLifetimeMs === 0) return shortest;
  return shortest === null || maxLifetimeMs < shortest.list.maxLifetimeMs ? compiled : shortest;
}

function refused(rule: CompiledRule, status: 429 | 503): Refused {
  const tooMany = status === 429;
  return {
    admitted: false,
    status,
    reason: tooMany ? 'too_many_connections' : 'count_unavailable',
    ruleList: rule.list.id,
    rule: rule.rule.name,
    message: tooMany
      ? rejectionMessage(rule)
      : 'The number of open connections cannot be determined at the moment. Please try again.',
    retryAfterSeconds: rule.list.retryAfterSeconds,
  };
}
