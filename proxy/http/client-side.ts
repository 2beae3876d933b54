import type { Settings } from '../config/snapshot.ts';
import { clientAddressOf, forwardedLines, type Hop } from '../filters/forwarded.ts';
import type { HeaderView } from './codec/headers.ts';
import { hostOf } from './codec/host.ts';
import type { Arrival } from './exchange.ts';

/**
 * What a client connection says of all its requests. Nearly all requests of a connection name the same authority, so
 * what follows from it is kept.
 */
export class ClientSide {
  readonly arrival: Arrival;
  readonly scheme: 'http' | 'https';
  /** In its shortest form. */
  readonly peerAddress: string;
  /** Lower case, without port. */
  host = '';
  #authority = '';
  #settings: Settings | null = null;
  #forwardedLines = '';

  constructor(arrival: Arrival, peerAddress: string) {
    this.arrival = arrival;
    this.scheme = arrival.sni === undefined ? 'http' : 'https';
    this.peerAddress = peerAddress;
  }

  /** Takes the authority and settings of the next request. */
  begin(authority: string, settings: Settings): void {
    if (authority === this.#authority && settings === this.#settings) return;
    // A copy, since the slice would keep its whole head alive between requests.
    this.#authority = Buffer.from(authority, 'latin1').toString('latin1');
    this.host = hostOf(this.#authority);
    this.#settings = settings;
    this.#forwardedLines = '';
  }

  clientAddress(headers: HeaderView): string {
    return clientAddressOf(this.peerAddress, headers, this.#settings!.forwardedHeaders.trustedHops);
  }

  forwardedLines(headers: HeaderView): string {
    if (this.#forwardedLines !== '') return this.#forwardedLines;
    const { forwardedHeaders } = this.#settings!;
    const { peerAddress, scheme } = this;
    const hop: Hop = { peerAddress, scheme, authority: this.#authority, port: this.arrival.port };
    const lines = forwardedLines(forwardedHeaders, hop, headers);
    // Where nothing of the request is believed, all requests for one authority have the same lines.
    if (forwardedHeaders.trustedHops === 0) this.#forwardedLines = lines;
    return lines;
  }
}
