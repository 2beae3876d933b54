import { ChunkedReader } from '../../proxy/http/codec/chunked.ts';
import { headerPlan } from '../../proxy/http/codec/edit.ts';
import { responseFraming } from '../../proxy/http/codec/framing.ts';
import { DEFAULT_HEAD_LIMITS, RequestHead, ResponseHead } from '../../proxy/http/codec/head.ts';
import { fieldLine } from '../../proxy/http/codec/headers.ts';
import { normalizePath } from '../../proxy/http/codec/path.ts';
import { scanRequestHead, scanResponseHead } from '../../proxy/http/codec/scan.ts';
import {
  CONNECTION_KEEP_ALIVE_LINE,
  framingLines,
  writeRequestHead,
  writeResponseHead,
} from '../../proxy/http/codec/write.ts';

/** Nanoseconds per operation of the codec: `node test/codec/benchmark.ts`. The best of several rounds counts. */

const small = Buffer.from('GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n');
const browser = Buffer.from(
  [
    'GET /chat/negotiate?negotiateVersion=1&id=abc HTTP/1.1',
    'Host: chat.example.com',
    'Connection: keep-alive',
    'sec-ch-ua-platform: "Linux"',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
    'sec-ch-ua-mobile: ?0',
    'Origin: https://chat.example.com',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: cors',
    'Sec-Fetch-Dest: empty',
    'Referer: https://chat.example.com/room/1',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-GB,en;q=0.9',
    `Cookie: session=${'abcdef0123456789'.repeat(8)}; theme=dark`,
    '',
    '',
  ].join('\r\n'),
);
const answer = Buffer.from(
  'HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 01:00:00 GMT\r\nContent-Type: text/plain\r\n' +
    'Content-Length: 46\r\nLast-Modified: Sun, 22 Nov 2026 01:00:00 GMT\r\nConnection: keep-alive\r\nETag: "1-2"\r\n\r\n',
);
const events = Buffer.from('20\r\ndata: {"hello":"world","n":123}\n\r\n'.repeat(20), 'latin1');

const request = new RequestHead();
const response = new ResponseHead();
const plan = headerPlan([], ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']);
const forwarded = fieldLine('X-Forwarded-For', '127.0.0.1') + fieldLine('X-Forwarded-Proto', 'http');
let sink = 0;

function scanRequest(bytes: Buffer): void {
  if (scanRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, request) !== 'complete')
    throw new Error('invalid');
  sink += request.byteLength;
}

function scanResponse(): void {
  if (scanResponseHead(answer, 0, answer.length, DEFAULT_HEAD_LIMITS, response) !== 'complete') {
    throw new Error('invalid');
  }
  responseFraming(response, 'GET');
  sink += response.byteLength;
}

function writeRequest(): void {
  const path = normalizePath(request.path);
  if (typeof path !== 'string') throw new Error('invalid');
  sink += writeRequestHead(request, request.originTarget, request.authority, plan, forwarded).length;
}

function writeResponse(): void {
  const framing = framingLines(response);
  sink += writeResponseHead(response, plan, framing, CONNECTION_KEEP_ALIVE_LINE, '').length;
}

const cases: Record<string, () => void> = {
  [`scan request, ${small.length} B`]: () => scanRequest(small),
  [`scan request, ${browser.length} B`]: () => scanRequest(browser),
  'scan and write request, small': () => {
    scanRequest(small);
    writeRequest();
  },
  'scan and write request, browser': () => {
    scanRequest(browser);
    writeRequest();
  },
  [`scan response, ${answer.length} B`]: scanResponse,
  'scan and write response': () => {
    scanResponse();
    writeResponse();
  },
  'whole exchange, small': () => {
    scanRequest(small);
    writeRequest();
    scanResponse();
    writeResponse();
  },
  'follow 20 chunks': () => {
    const end = new ChunkedReader().push(events, 0, events.length);
    if (end !== events.length) throw new Error('invalid');
    sink += end;
  },
};

const ROUNDS = 5;
const ROUND_MS = 150;
for (const [name, run] of Object.entries(cases)) {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    let count = 0;
    const start = performance.now();
    let elapsed = 0;
    while (elapsed < ROUND_MS) {
      for (let i = 0; i < 1000; i++) run();
      count += 1000;
      elapsed = performance.now() - start;
    }
    best = Math.min(best, (elapsed / count) * 1e6);
  }
  console.log(`${name.padEnd(36)} ${best.toFixed(0).padStart(6)} ns`);
}
if (sink === 0) throw new Error('nothing was done');
