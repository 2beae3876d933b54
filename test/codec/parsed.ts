/** What a parser made of a byte stream, in a shape that two parsers can be compared by. */
export interface ParsedMessage {
  /** Method, or status code as text. */
  readonly start: string;
  /** Request target, or reason phrase. */
  readonly target: string;
  readonly minorVersion: number;
  /** Name, value, name, value, as received. */
  readonly fields: readonly string[];
  /** null where llhttp cannot tell: after an answer to HEAD, a 204, Proxy-Connection, a body that ends with the connection, a tunnel. */
  persistent: boolean | null;
  body: string;
  trailers: readonly string[];
  complete: boolean;
}

export interface ParsedStream {
  readonly messages: ParsedMessage[];
  /** Code of the error that ended the stream; null when there was none. */
  error: string | null;
  /** Whether the connection could carry another message. */
  open: boolean;
}

export type StreamKind = 'request' | 'response';
