/**
 * Raw requests as they are used to make two servers disagree, and neighbours of them that are fine. Each with the
 * verdict that the codec must come to: the error code, or the requests it reads, as `METHOD target body`.
 */
export interface CorpusCase {
  readonly raw: string;
  readonly verdict: string | readonly string[];
}

export const refused = (verdict: string, ...raws: string[]): CorpusCase[] =>
  raws.map((raw) => ({ raw, verdict }));
export const read = (raw: string, ...verdict: string[]): CorpusCase => ({ raw, verdict });

/** A GET with these further lines. */
export const get = (...lines: string[]) =>
  `GET / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
/** A POST with these lines and body, and the request that an attacker hides behind it. */
export const post = (lines: string[], body: string) =>
  `POST / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`;
export const chunked = (body: string) => post(['Transfer-Encoding: chunked'], body);
export const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
export const lineOf = (line: string) => `${line}\r\nHost: a\r\n\r\n`;
