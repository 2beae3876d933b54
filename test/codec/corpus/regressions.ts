import type { StreamKind } from '../parsed.ts';

/** Streams on which the codec once differed from llhttp, and how it must end with them now. */
export const REGRESSIONS: readonly {
  readonly kind: StreamKind;
  readonly requestMethod: string;
  readonly raw: string;
  readonly error: string | null;
}[] = [
  {
    // A tab beside the coding: refused by llhttp.
    kind: 'request',
    requestMethod: 'GET',
    raw: 'POST /a HTTP/1.1\r\nHost: a:80\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n',
    error: 'TRANSFER_ENCODING',
  },
  {
    // llhttp finds a body in a 1xx other than 100 and 101.
    kind: 'response',
    requestMethod: 'POST',
    raw: 'HTTP/1.1 199 OK \r\nContent-Length: 3\r\n\r\nGETHTTP/1.1 200 OK\r\n\r\n',
    error: 'INFORMATIONAL_BODY',
  },
  {
    kind: 'response',
    requestMethod: 'GET',
    raw: 'HTTP/1.1 199 \r\nTransfer-Encoding: chunked\r\n\r\na\r\n0\r\n\r\nGET /\r\n3;a=\r\n\r\n',
    error: 'INFORMATIONAL_BODY',
  },
  {
    // No option `close` for llhttp.
    kind: 'request',
    requestMethod: 'GET',
    raw: 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close;a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    error: 'CONNECTION',
  },
  {
    // The option `close` for llhttp.
    kind: 'response',
    requestMethod: 'HEAD',
    raw: 'HTTP/1.1 200 \r\nConnection: clo\tse\r\n\r\n',
    error: 'CONNECTION',
  },
  {
    // No body for either, but what stands behind may be one: not used again.
    kind: 'response',
    requestMethod: 'GET',
    raw: 'HTTP/1.1 204\r\nTransfer-Encoding:  chunked \r\n\r\nHTTP/1.1 204 Not Found\r\nContent-Length: 7\r\n\r\nGET / H',
    error: null,
  },
  {
    // Upgrade in HTTP/1.0 is ignored, but not by llhttp.
    kind: 'request',
    requestMethod: 'GET',
    raw: 'GET / HTTP/1.0\r\nHost: a\r\nUpgrade: x\r\nConnection: keep-alive, Upgrade\r\nContent-Length: 2\r\n\r\nGEGET / HTTP/1.1\r\n',
    error: null,
  },
  {
    // Both options in HTTP/1.0: closed for us, kept by llhttp.
    kind: 'request',
    requestMethod: 'GET',
    raw: 'OPTIONS /a HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\nHEAD /a HTTP/1.1\r\n\r\n',
    error: null,
  },
  {
    // A forbidden trailer is refused with its line, not only at the end of the section.
    kind: 'request',
    requestMethod: 'GET',
    raw: 'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0\r\n\r\nGET / \r\n0\r\nContent-Length: -1 a \r\nTransfe',
    error: 'TRAILER_FORBIDDEN',
  },
  {
    // Proxy-Connection is Connection for llhttp.
    kind: 'request',
    requestMethod: 'GET',
    raw: 'GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: ,close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    error: null,
  },
];
