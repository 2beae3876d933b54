import type { Probe } from '../config/snapshot.ts';

export type Health = 'untested' | 'healthy' | 'unhealthy';

/**
 * What the results of probes make of an endpoint.
 *
 * The first result of a new endpoint decides at once, whatever the thresholds: until then it is used only if nothing
 * else is. One that was in use before (without a probe, or with another) stays until it has failed often enough.
 */
export class HealthRecord {
  #state: Health;
  /** Results in a row that speak against the state. */
  #against = 0;

  constructor(hasProbe: boolean) {
    this.#state = hasProbe ? 'untested' : 'healthy';
  }

  get state(): Health {
    return this.#state;
  }

  /** Without a probe there is nothing to be unhealthy for. */
  probeRemoved(): void {
    this.#state = 'healthy';
    this.#against = 0;
  }

  /** @returns whether the state changed. */
  record(success: boolean, { healthyThreshold, unhealthyThreshold }: Probe): boolean {
    const result: Health = success ? 'healthy' : 'unhealthy';
    if (result === this.#state) {
      this.#against = 0;
      return false;
    }
    this.#against++;
    const threshold = success ? healthyThreshold : unhealthyThreshold;
    if (this.#state !== 'untested' && this.#against < threshold) return false;
    this.#state = result;
    this.#against = 0;
    return true;
  }
}
