import { METHODS } from '../../proxy/http/codec/methods.ts';
import type { StreamKind } from './parsed.ts';
import type { Random } from './random.ts';
import {
  ENCODINGS,
  HOSTS,
  LENGTHS,
  LINE_ENDS,
  OPTIONS,
  OTHER_NAMES,
  REASONS,
  REQUEST_NAMES,
  SIZES,
  SPLICES,
  STATUSES,
  TARGETS,
  VALUES,
  VERSIONS,
} from './vocabulary.ts';

/** One input of the differential fuzzer. */
export interface FuzzCase {
  readonly kind: StreamKind;
  /** Of the requests that the responses answer. */
  readonly requestMethod: string;
  readonly bytes: Buffer;
}

/** A stream of one to three messages: mostly valid, each part now and then wrong, then perhaps mutated bytewise. */
export function generate(random: Random): FuzzCase {
  const kind = random.oneIn(3) ? 'response' : 'request';
  // How often a part goes wrong; without any such place, both parsers are compared on valid input.
  const strangeness = random.pick([0, 40, 15, 6]);
  let text = '';
  for (let count = 1 + random.below(3); count > 0; count--) text += message(random, kind, strangeness);
  let bytes: Buffer = Buffer.from(text, 'latin1');
  if (random.oneIn(2)) for (let count = random.below(4); count > 0; count--) bytes = mutate(random, bytes);
  return { kind, requestMethod: random.pick(['GET', 'GET', 'GET', 'HEAD', 'CONNECT', 'POST']), bytes };
}

/** Changes some bytes: flips, inserts, removes, repeats, or cuts the rest off. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const before = bytes.subarray(0, at);
  const length = 1 + random.below(random.oneIn(4) ? 20 : 2);
  switch (random.below(7)) {
    case 0:
      return Buffer.concat([before, Buffer.of(random.below(256)), bytes.subarray(at + 1)]);
    case 1:
      return Buffer.concat([before, Buffer.of(random.below(256)), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([before, bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([before, bytes.subarray(at, at + length), bytes.subarray(at)]);
    case 4:
    case 5:
      return Buffer.concat([before, Buffer.from(random.pick(SPLICES), 'latin1'), bytes.subarray(at)]);
    default: {
      if (random.oneIn(4)) return before;
      const from = random.below(bytes.length + 1);
      return Buffer.concat([before, bytes.subarray(from, from + random.below(40)), bytes.subarray(at)]);
    }
  }
}

function message(random: Random, kind: StreamKind, strangeness: number): string {
  const strange = () => strangeness > 0 && random.oneIn(strangeness);
  const lineEnd = () => (strange() && random.oneIn(3) ? random.pick(LINE_ENDS) : '\r\n');
  const lines: string[] = [];
  if (kind === 'request') {
    const method = strange()
      ? random.pick(['get', 'FOO', '', 'G ET', 'PRI', 'GET\t'])
      : requestMethod(random);
    const target = strange()
      ? random.pick(TARGETS)
      : method === 'CONNECT'
        ? 'a:80'
        : random.pick(TARGETS.slice(0, 4));
    lines.push(
      `${method} ${target} ${strange() ? random.pick(VERSIONS) : random.oneIn(12) ? 'HTTP/1.0' : 'HTTP/1.1'}`,
    );
    if (!strange()) lines.push(`Host: ${strange() ? random.pick(HOSTS) : random.pick(HOSTS.slice(0, 5))}`);
  } else {
    const version = strange() ? random.pick(VERSIONS) : 'HTTP/1.1';
    lines.push(
      `${version} ${strange() ? random.pick(STATUSES) : random.pick(STATUSES.slice(0, 6))}${random.pick(REASONS.slice(0, strange() ? REASONS.length : 5))}`,
    );
  }

  const framing = random.below(4);
  let body = '';
  if (framing === 1) {
    const length = random.below(12);
    lines.push(`Content-Length: ${strange() ? random.pick(LENGTHS) : length}`);
    body = 'GET / HTTP/1.1\r\n'.slice(0, length);
  } else if (framing >= 2) {
    lines.push(`Transfer-Encoding: ${strange() ? random.pick(ENCODINGS) : 'chunked'}`);
    body = chunkedBody(random, strange, lineEnd);
  }
  for (let count = random.below(4); count > 0; count--)
    lines.splice(1 + random.below(lines.length), 0, field(random, strange));

  let text = strange() ? random.pick(['\r\n', '\r\n\r\n', '\n', '\r', ' ']) : '';
  for (const line of lines) text += line + lineEnd();
  return text + lineEnd() + body;
}

function requestMethod(random: Random): string {
  return random.pick(random.oneIn(8) ? METHODS : ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
}

function field(random: Random, strange: () => boolean): string {
  const name = random.pick(
    strange() ? REQUEST_NAMES : random.oneIn(2) ? OTHER_NAMES : ['Connection', 'Upgrade', 'Expect', 'TE'],
  );
  const separator = strange() ? random.pick([':', ' : ', ' :', ':\t', '', ':  ', ':\r\n ']) : ': ';
  return `${strange() ? random.pick(['', ' ', 'a b', '\t', 'é', '(', name]) : name}${separator}${value(random, name)}`;
}

function value(random: Random, name: string): string {
  if (name === 'Host') return random.pick(HOSTS);
  if (name === 'Content-Length') return random.pick(LENGTHS);
  if (name === 'Transfer-Encoding') return random.pick(ENCODINGS);
  if (name === 'Connection') return random.pick(OPTIONS);
  return random.pick(VALUES);
}

function chunkedBody(random: Random, strange: () => boolean, lineEnd: () => string): string {
  let body = '';
  for (let count = random.below(3); count > 0; count--) {
    if (strange()) body += `${random.pick(SIZES) + lineEnd()}abc`;
    else {
      const length = 1 + random.below(20);
      const extension = random.oneIn(6) ? random.pick([';a', ';a=b', ';a="b c"', ';a;b']) : '';
      body += `${length.toString(16)}${extension}${lineEnd()}${'0\r\n\r\nGET / HTTP/1.1\r\n\r\n'.slice(0, length)}`;
    }
    body += lineEnd();
  }
  body += (strange() ? random.pick(SIZES) : '0') + lineEnd();
  if (random.oneIn(6)) body += field(random, strange) + lineEnd();
  return body + lineEnd();
}
