/**
 * Metrics of one thread: counters, gauges and histograms with labels.
 *
 * A call site asks once for the series of its label values and keeps it: recording is then one addition, without
 * a look-up or an allocation. Threads collect on their own; the main thread merges what they report (see
 * `exposition.ts`). Label values come from configuration, never from a request, so that their number is bounded.
 */

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** One thread's values, as sent to the main thread. */
export interface MetricReport {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labelNames: readonly string[];
  /** Upper bounds of a histogram's buckets, ascending, without `+Inf`. */
  readonly buckets: readonly number[];
  readonly series: readonly SeriesReport[];
}

export interface SeriesReport {
  readonly labels: readonly string[];
  /** Counter or gauge value; a histogram's sum. */
  readonly value: number;
  /** A histogram's observations per bucket, the last being `+Inf`; empty otherwise. */
  readonly counts: readonly number[];
}

export class Counter {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }
}

export class Gauge {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }
}

export class Histogram {
  value = 0;
  readonly counts: number[];
  readonly #buckets: readonly number[];

  constructor(buckets: readonly number[]) {
    this.#buckets = buckets;
    this.counts = new Array<number>(buckets.length + 1).fill(0);
  }

  observe(value: number): void {
    this.value += value;
    let index = 0;
    while (index < this.#buckets.length && value > this.#buckets[index]!) index++;
    this.counts[index]!++;
  }
}

interface Series {
  value: number;
  readonly counts?: readonly number[];
}

/** All series of one metric name. */
export class Family<S extends Series> {
  readonly #series = new Map<string, { readonly labels: readonly string[]; readonly series: S }>();
  readonly #create: () => S;
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labelNames: readonly string[];
  readonly buckets: readonly number[];

  constructor(description: Omit<MetricReport, 'series'>, create: () => S) {
    this.name = description.name;
    this.help = description.help;
    this.kind = description.kind;
    this.labelNames = description.labelNames;
    this.buckets = description.buckets;
    this.#create = create;
  }

  /** The series of these label values, in the order of the label names; the same object for the same values. */
  labels(...values: readonly string[]): S {
    if (values.length !== this.labelNames.length) {
      throw new Error(
        `${this.name}: found ${values.length} label values, expected ${this.labelNames.length}`,
      );
    }
    const key = values.join('\u0000');
    let entry = this.#series.get(key);
    if (entry === undefined) {
      entry = { labels: values, series: this.#create() };
      this.#series.set(key, entry);
    }
    return entry.series;
  }

  /** Forgets a series, for label values that left the configuration. */
  remove(...values: readonly string[]): void {
    this.#series.delete(values.join('\u0000'));
  }

  report(): MetricReport {
    const series = [...this.#series.values()].map(({ labels, series: { value, counts } }) => ({
      labels,
      value,
      counts: counts === undefined ? [] : [...counts],
    }));
    const { name, help, kind, labelNames, buckets } = this;
    return { name, help, kind, labelNames, buckets, series };
  }
}

/** Seconds; wide enough for a LAN answer and for a long poll. */
export const DURATION_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** The metrics of one thread. Asking twice for a name gives the same family. */
export class Metrics {
  readonly #families = new Map<string, Family<Series>>();

  counter(name: string, help: string, labelNames: readonly string[] = []): Family<Counter> {
    return this.#family({ name, help, kind: 'counter', labelNames, buckets: [] }, () => new Counter());
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): Family<Gauge> {
    return this.#family({ name, help, kind: 'gauge', labelNames, buckets: [] }, () => new Gauge());
  }

  histogram(
    name: string,
    help: string,
    labelNames: readonly string[] = [],
    buckets: readonly number[] = DURATION_BUCKETS,
  ): Family<Histogram> {
    return this.#family({ name, help, kind: 'histogram', labelNames, buckets }, () => new Histogram(buckets));
  }

  report(): MetricReport[] {
    return [...this.#families.values()].map((family) => family.report());
  }

  #family<S extends Series>(description: Omit<MetricReport, 'series'>, create: () => S): Family<S> {
    const existing = this.#families.get(description.name);
    if (existing !== undefined) {
      if (existing.kind !== description.kind) {
        throw new Error(`${description.name} is a ${existing.kind}, not a ${description.kind}`);
      }
      return existing as Family<S>;
    }
    const family = new Family(description, create);
    this.#families.set(description.name, family as Family<Series>);
    return family;
  }
}
