import type { EndpointCounts } from './counts.ts';
import type { Endpoint } from './endpoint.ts';
import type { LiveEndpoint } from './live-endpoint.ts';

const NOBODY: ReadonlySet<Endpoint> = new Set();

/** Which of the usable endpoints may take the request at hand. One object is reused, since selection is synchronous. */
export class Filter {
  avoid: ReadonlySet<Endpoint> = NOBODY;
  /** 0 is unlimited. */
  maxPerTarget = 0;
  readonly counts: EndpointCounts;

  constructor(counts: EndpointCounts) {
    this.counts = counts;
  }

  set(avoid: ReadonlySet<Endpoint> | undefined, maxPerTarget: number): this {
    this.avoid = avoid ?? NOBODY;
    this.maxPerTarget = maxPerTarget;
    return this;
  }

  takes(endpoint: LiveEndpoint): boolean {
    if (this.avoid.size > 0 && this.avoid.has(endpoint)) return false;
    return this.maxPerTarget === 0 || this.counts.open(endpoint.row) < this.maxPerTarget;
  }
}
