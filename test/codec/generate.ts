import { METHODS } from '../../proxy/http/codec/methods.ts';
import type { StreamKind } from './parsed.ts';
import type { Random } from './random.ts';

/** One input of the differential fuzzer. */
export interface FuzzCase {
  readonly kind: StreamKind;
  /** Of the requests that the responses answer. */
  readonly requestMethod: string;
  readonly bytes: Buffer;
}

const REQUEST_NAMES = [
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Upgrade',
  'Expect',
  'TE',
  'Cookie',
];
const OTHER_NAMES = [
  'X',
  'Accept',
  'x-a_b',
  'Keep-Alive',
  'Trailer',
  'Content-Type',
  'Proxy-Connection',
  'Set-Cookie',
  '!#$%',
];
const HOSTS = [
  'a',
  'example.com',
  'a:80',
  '[::1]',
  '[::1]:8080',
  '',
  'a b',
  'a,b',
  'a:',
  'A.B',
  '127.0.0.1',
  'a@b',
  'a/b',
];
const LENGTHS = [
  '0',
  '1',
  '3',
  '5',
  '10',
  '03',
  '+3',
  '-1',
  '3,3',
  '3 3',
  '0x3',
  '',
  '9007199254740992',
  '99999999999999999999',
  '3.0',
  '1e1',
];
const ENCODINGS = [
  'chunked',
  'Chunked',
  'CHUNKED',
  'chunked, chunked',
  'gzip, chunked',
  'chunked, gzip',
  'identity',
  'xchunked',
  'chunked;q=1',
  '"chunked"',
  ' chunked ',
  'chunked\x0b',
  '',
  'gzip',
  'chunked,',
  ',chunked',
  'chunk ed',
];
const OPTIONS = [
  'close',
  'keep-alive',
  'Upgrade',
  'Close',
  'close, keep-alive',
  'upgrade, close',
  'keep-alive, Upgrade',
  'x',
  'te',
  '',
  'closed',
  'x-close',
  'close x',
  'close,,',
  ',close',
  'keep-alive\t',
  '"close"',
  'upgrade;q=1',
  'close;a',
  'x close',
  'keep-alivex',
  'Upgrade x',
  'clo\tse',
];
const VALUES = [
  '1',
  '',
  'a b',
  'a\tb',
  '\x80\xff',
  'websocket',
  'h2c',
  '100-continue',
  'trailers',
  'a=b; c=d',
  'x'.repeat(60),
  ' a ',
  '\t',
  '"a\\"b"',
  'a,b',
];
const TARGETS = [
  '/',
  '/a',
  '/a?b=c',
  '/a%20b',
  '*',
  'http://a/',
  'http://a',
  'https://a:80/b?c',
  'a:80',
  '//',
  '/?',
  '/a#b',
  '/[x]',
  '/a|b',
  '/"',
  '/\\',
  '/?\\{}',
  '',
  'a',
  'http:///',
  'http://a b',
  'ftp://a/',
  'http://a@b/',
  '/\x80',
  '/%',
  'http://[::1]/',
  'http://a?x',
  '?',
  '/?a?b',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.',
  'HTTP/1.2',
  'HTTP/11',
  'HTTP/1.1 ',
  'ICE/1.0',
  'RTSP/1.0',
  'HTTP/1.10',
  '',
];
const STATUSES = [
  '200',
  '200',
  '200',
  '204',
  '304',
  '100',
  '101',
  '103',
  '199',
  '404',
  '500',
  '999',
  '099',
  '20',
  '2000',
  '2x0',
  '000',
  '600',
  ' 200',
];
const REASONS = [
  ' OK',
  ' OK',
  ' ',
  '',
  ' Not Found',
  ' \x80',
  ' a\tb',
  '  x',
  '\tOK',
  ' x\x00',
  ' OK ',
  ' é',
];
const SIZES = [
  '0',
  '1',
  '3',
  'a',
  'A',
  '03',
  '000',
  '0000000000000003',
  '00000000000000003',
  'g',
  '-1',
  '+1',
  '0x3',
  ' 3',
  '3 ',
  '',
  'fffffffffffffff',
  '3;a',
  '3;a=b',
  '3;a="b c"',
  '3;a="\\""',
  '3; a',
  '3 ;a',
  '3;',
  '3;;a',
  '3;a=',
  '3;a=b;c="d"',
  '0;a=b',
  '3;a="',
  '3;a=\x80',
  '3;"a"',
  '3;a="b"c',
  '3,a',
  '3;a="\x80"',
  '3;a="\t"',
  '3;a="\\\x01"',
  '3\t',
];
const LINE_ENDS = [
  '\n',
  '\r',
  '\r\r\n',
  '\n\r',
  '\r\n ',
  '\r\n\t',
  '',
  '\r\n\r\n',
  '\x00\r\n',
  ' \r\n',
  '\r\n\r',
];
const SPLICES = [
  ...LINE_ENDS,
  '\x00',
  ' ',
  '\t',
  ':',
  ' :',
  ': ',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  ';',
  ',',
  '=',
  '"',
  '\\',
  '0',
  '0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 3\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'Connection: close\r\n',
  'Host: b\r\n',
  'HTTP/1.1 ',
];

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
