import type { RequestHead } from './codec/head.ts';
import type { RequestView } from './request.ts';

/** A request that came in by HTTP/1.x. Valid until its connection reads the next head. */
export class Http1Request implements RequestView {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly headers: RequestHead;
  readonly clientAddress: string;

  constructor(
    head: RequestHead,
    scheme: 'http' | 'https',
    host: string,
    path: string,
    clientAddress: string,
  ) {
    this.method = head.method;
    this.scheme = scheme;
    this.host = host;
    this.path = path;
    this.query = head.query;
    this.headers = head;
    this.clientAddress = clientAddress;
  }
}
