import { TooLargeError } from './errors.ts';

const LINE_FEED = 10;

/**
 * Cuts a stream of bytes into lines, wherever the chunks end. A last line without its line end is left out: in a
 * watch it is an event that was cut, even if it happens to be well-formed.
 *
 * @throws TooLargeError
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
  what: string,
): AsyncGenerator<string, void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      const part = chunk.subarray(start, end === -1 ? chunk.length : end);
      pendingBytes += part.length;
      if (pendingBytes > maxLineBytes)
        throw new TooLargeError(`${what}: a line is longer than ${maxLineBytes} bytes`);
      pending.push(part);
      if (end === -1) break;
      yield Buffer.concat(pending, pendingBytes).toString('utf8');
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
  }
}
