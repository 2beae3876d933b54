import { type BodyReader, bodyReader } from '../../proxy/http/codec/body.ts';
import { ChunkedReader } from '../../proxy/http/codec/chunked.ts';
import { responseFraming } from '../../proxy/http/codec/framing.ts';
import { DEFAULT_HEAD_LIMITS, RequestHead, ResponseHead } from '../../proxy/http/codec/head.ts';
import type { HeaderView } from '../../proxy/http/codec/headers.ts';
import { scanRequestHead, scanResponseHead } from '../../proxy/http/codec/scan.ts';
import type { ParsedMessage, ParsedStream, StreamKind } from './parsed.ts';

/**
 * Runs our codec over a whole connection's bytes, as a connection would: messages one after the other, until one is
 * invalid, closes the connection or turns it into a tunnel.
 *
 * @param requestMethod of the requests that the responses answer
 * @param cuts ascending positions at which the bytes arrive in pieces; none: all at once
 */
export function parseWithCodec(
  kind: StreamKind,
  bytes: Buffer,
  requestMethod: string,
  cuts: readonly number[] = [],
): ParsedStream {
  const stream: ParsedStream = { messages: [], error: null, open: true };
  const request = new RequestHead();
  const response = new ResponseHead();
  const head = kind === 'request' ? request : response;
  let reader: BodyReader | null = null;
  let message: ParsedMessage | null = null;
  let closing = false;
  let start = 0;

  for (const end of [...cuts, bytes.length]) {
    // A tight copy at another offset: nothing but the bytes of the unfinished part may be needed.
    const shift = end % 7;
    const piece = Buffer.alloc(shift + end - start, 'x');
    bytes.copy(piece, shift, start, end);
    const origin = start - shift;

    while (stream.open && start < end) {
      if (reader === null) {
        const status =
          kind === 'request'
            ? scanRequestHead(piece, start - origin, end - origin, DEFAULT_HEAD_LIMITS, request)
            : scanResponseHead(piece, start - origin, end - origin, DEFAULT_HEAD_LIMITS, response);
        if (status === 'incomplete') break;
        if (status === 'invalid') {
          stream.error = head.error!.code;
          return stream;
        }
        start += head.byteLength;
        if (kind === 'response') responseFraming(response, requestMethod);
        message = kind === 'request' ? requestMessage(request) : responseMessage(response);
        stream.messages.push(message);
        if (head.framing === 'tunnel' || head.framing === 'untilClose') closing = true;
        // llhttp takes this field of old for Connection; we ignore it and pass it to nobody.
        if (head.has('proxy-connection')) {
          closing = true;
          message.persistent = null;
        }
        if (kind === 'response' && (closing || requestMethod === 'HEAD' || response.status === 204))
          message.persistent = null;
        if (kind === 'request' && (request.method === 'CONNECT' || asksForUpgrade(request))) closing = true;
        if (head.framing === 'none' || head.framing === 'tunnel') message.complete = true;
        else reader = bodyReader(head.framing, head.contentLength);
      } else {
        const position = reader.push(piece, start - origin, end - origin);
        if (position < 0) {
          stream.error = reader.error!.code;
          return stream;
        }
        for (let i = 0; i < reader.ranges.length; i += 2) {
          message!.body += piece.toString('latin1', reader.ranges[i], reader.ranges[i + 1]);
        }
        start = position + origin;
        if (reader.done) {
          message!.complete = true;
          if (reader instanceof ChunkedReader) message!.trailers = fieldsOf(reader.trailers);
          reader = null;
        }
      }
      if (message!.complete && (closing || !head.persistent)) stream.open = false;
    }
  }
  if (reader?.completeAtEnd === true) message!.complete = true;
  return stream;
}

function requestMessage(head: RequestHead): ParsedMessage {
  return { start: head.method, target: head.target, ...common(head) };
}

function responseMessage(head: ResponseHead): ParsedMessage {
  return { start: String(head.status), target: head.reason, ...common(head) };
}

function common(head: RequestHead | ResponseHead): Omit<ParsedMessage, 'start' | 'target'> {
  return {
    minorVersion: head.minorVersion,
    fields: fieldsOf(head),
    persistent: head.persistent,
    body: '',
    trailers: [],
    complete: false,
  };
}

/** llhttp stops behind a request that asks for an upgrade, in HTTP/1.0 too, where we ignore it. */
function asksForUpgrade(head: RequestHead): boolean {
  const options =
    head
      .get('connection')
      ?.toLowerCase()
      .split(/[ \t]*,[ \t]*/) ?? [];
  return head.has('upgrade') && options.includes('upgrade');
}

function fieldsOf(view: HeaderView): string[] {
  const fields: string[] = [];
  for (let i = 0; i < view.fieldCount; i++) fields.push(view.nameAt(i), view.valueAt(i));
  return fields;
}
