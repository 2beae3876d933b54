import type { Pool } from '../config/snapshot.ts';
import type { Endpoint, Selection } from './endpoint.ts';
import type { EndpointRecord, EndpointState } from './messages.ts';

/** The worker's own view of an endpoint, with what selection needs at hand. */
export class LiveEndpoint implements Endpoint {
  readonly id: string;
  pool: Pool;
  readonly hostname: string;
  readonly address: string;
  readonly port: number;
  weight: number;
  removed = false;
  /** Index into the shared counts. */
  readonly row: number;
  state: EndpointState;
  /** In the set that requests may go to now. */
  usable = false;
  /** Virtual time of the next turn: see `VirtualTime`. */
  nextTurn = Number.NaN;
  /** Value of the affinity cookie, made when first needed. */
  tag: string | null = null;

  /** The usual selection, made once. */
  readonly selection: Selection = { endpoint: this, setCookie: null };

  constructor(pool: Pool, record: EndpointRecord) {
    this.id = record.id;
    this.pool = pool;
    this.hostname = record.hostname;
    this.address = record.address;
    this.port = record.port;
    this.weight = record.weight;
    this.row = record.row;
    this.state = record.state;
  }
}
