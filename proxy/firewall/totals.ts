import { type Channel, topic, type WorkerChannel } from '../workers/channel.ts';

/** What a rule list has done, without a word on whom. */
export interface RuleListTotals {
  /** Open connections and requests that it counts. */
  readonly connections: number;
  /** Connections that it refused since the process began. */
  readonly rejected: number;
  /** Connections that it closed since the process began. */
  readonly disconnected: number;
}

/** One list's, in one worker; counted up and down as things happen. */
export interface ListTotals {
  connections: number;
  rejected: number;
  disconnected: number;
}

const TOTALS = topic<readonly (readonly [id: string, totals: RuleListTotals])[]>('firewall.totals');

/** Numbers for people need not be newer than this. */
const REPORT_INTERVAL_MS = 1_000;

/** The worker's half: tells the main thread what changed, at most once a second. */
export class TotalsReporter {
  readonly #channel: Channel;
  readonly #lists = new Map<string, ListTotals>();
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: { readonly channel: Channel }) {
    this.#channel = options.channel;
  }

  /** The same object for as long as anything is open that the list counts: a reload changes no number. */
  of(list: string): ListTotals {
    let totals = this.#lists.get(list);
    if (totals === undefined) {
      totals = { connections: 0, rejected: 0, disconnected: 0 };
      this.#lists.set(list, totals);
    }
    return totals;
  }

  changed(list: string): void {
    this.#changed.add(list);
    this.#timer ??= setTimeout(() => this.#report(), REPORT_INTERVAL_MS).unref();
  }

  #report(): void {
    this.#timer = null;
    this.#channel.post(
      TOTALS,
      [...this.#changed].map((id) => [id, { ...this.of(id) }] as const),
    );
    this.#changed.clear();
  }
}

/** The main thread's half: the sum over all workers that are and were. */
export class FirewallTotals {
  readonly #workers = new Map<number, Map<string, RuleListTotals>>();
  /** Of workers that are gone: what they held is free, what they did stays done. */
  readonly #past = new Map<string, RuleListTotals>();

  addWorker(channel: WorkerChannel): void {
    const lists = new Map<string, RuleListTotals>();
    this.#workers.set(channel.workerId, lists);
    channel.on(TOTALS, (changes) => {
      for (const [id, totals] of changes) lists.set(id, totals);
    });
  }

  removeWorker(workerId: number): void {
    for (const [id, totals] of this.#workers.get(workerId) ?? []) {
      this.#past.set(id, sum([this.#past.get(id), { ...totals, connections: 0 }]));
    }
    this.#workers.delete(workerId);
  }

  of(list: string): RuleListTotals {
    return sum([this.#past.get(list), ...[...this.#workers.values()].map((lists) => lists.get(list))]);
  }
}

function sum(all: readonly (RuleListTotals | undefined)[]): RuleListTotals {
  let [connections, rejected, disconnected] = [0, 0, 0];
  for (const totals of all) {
    connections += totals?.connections ?? 0;
    rejected += totals?.rejected ?? 0;
    disconnected += totals?.disconnected ?? 0;
  }
  return { connections, rejected, disconnected };
}
