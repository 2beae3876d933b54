import type { HeaderView } from './codec/headers.ts';

/**
 * What routing, authentication, the firewall and balancing read of a request, whatever HTTP version it came in.
 * Values are as received but for what is said here; reading a header is lazy and may decode.
 */
export interface RequestView {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host of the request's authority, lower case, without port. */
  readonly host: string;
  /** Path without query, normalised for matching; begins with `/` (or is `*`). */
  readonly path: string;
  /** Without the `?`; empty when there is none. */
  readonly query: string;
  readonly headers: HeaderView;
  /** The client's address after the trusted-hops rule, in its shortest form (IPv4-mapped addresses as IPv4). */
  readonly clientAddress: string;
}
