import type { Counter, Metrics } from '../telemetry/metrics.ts';
import { FAILURE_KINDS, type FailureKind } from './failure.ts';

/** What is counted of one authentication. */
export interface AuthenticationSeries {
  readonly accepted: Counter;
  readonly refused: Readonly<Record<FailureKind, Counter>>;
  readonly acceptedFromMemory: Counter;
  readonly refusedFromMemory: Counter;
}

export class AuthenticationMetrics {
  readonly #results;
  readonly #cached;

  constructor(metrics: Metrics) {
    this.#results = metrics.counter(
      'sluice_authentication_results_total',
      'Requests judged by their token (results from memory apart): accepted, or why not.',
      ['authentication', 'result'],
    );
    this.#cached = metrics.counter(
      'sluice_authentication_cached_total',
      'Requests whose token had been judged before: accepted or refused.',
      ['authentication', 'result'],
    );
  }

  series(id: string): AuthenticationSeries {
    const refused = Object.fromEntries(
      FAILURE_KINDS.map((kind) => [kind, this.#results.labels(id, kind)]),
    ) as Record<FailureKind, Counter>;
    return {
      accepted: this.#results.labels(id, 'accepted'),
      refused,
      acceptedFromMemory: this.#cached.labels(id, 'accepted'),
      refusedFromMemory: this.#cached.labels(id, 'refused'),
    };
  }

  /** Forgets an authentication that left the configuration. */
  remove(id: string): void {
    for (const result of ['accepted', ...FAILURE_KINDS]) this.#results.remove(id, result);
    for (const result of ['accepted', 'refused']) this.#cached.remove(id, result);
  }
}
