// @ts-expect-error: Node's binding to llhttp has no types
import { HTTPParser, methods } from 'node:_http_common';
import type { ParsedMessage, ParsedStream, StreamKind } from './parsed.ts';

/** Runs llhttp in strict mode, as Node's own server and client have it, over a whole connection's bytes. */
export function parseWithLlhttp(kind: StreamKind, bytes: Buffer, requestMethod: string): ParsedStream {
  const stream: ParsedStream = { messages: [], error: null, open: true };
  let message: ParsedMessage | undefined;
  let early: string[] = [];
  let earlyTarget = '';

  const parser = new HTTPParser();
  parser.initialize(kind === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 65_536, 0);
  parser[HTTPParser.kOnMessageBegin] = () => {
    early = [];
    earlyTarget = '';
    message = undefined;
  };
  // Fields come here when there are many of them, and as trailers.
  parser[HTTPParser.kOnHeaders] = (fields: string[], target: string) => {
    if (message === undefined) {
      early.push(...fields);
      earlyTarget += target;
    } else {
      message.trailers = [...message.trailers, ...fields];
    }
  };
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    minorVersion: number,
    fields: string[] | undefined,
    method: number | undefined,
    url: string | undefined,
    status: number | undefined,
    reason: string | undefined,
    _upgrade: boolean,
    persistent: boolean,
  ) => {
    // `methods` has no gap where llhttp's numbers have one, before QUERY.
    message = {
      start: kind === 'request' ? (methods[method!] ?? 'QUERY') : String(status),
      target: (kind === 'request' ? url : reason) ?? earlyTarget,
      minorVersion,
      fields: [...early, ...(fields ?? [])],
      persistent,
      body: '',
      trailers: [],
      complete: false,
    };
    stream.messages.push(message);
    // What Node's client answers: 1 skips the body, 2 ends HTTP on this connection.
    if (kind === 'request') return message.start === 'CONNECT' ? 2 : 0;
    if (status === 101 || (requestMethod === 'CONNECT' && status! >= 200 && status! < 300)) return 2;
    return requestMethod === 'HEAD' ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (body: Buffer) => {
    message!.body += body.toString('latin1');
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    message!.complete = true;
  };

  const result = parser.execute(bytes);
  if (result instanceof Error) stream.error = (result as Error & { code: string }).code;
  else parser.finish();
  parser.close();
  return stream;
}
