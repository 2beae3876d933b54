import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  constantFrom,
  double,
  property as forAll,
  nat,
  option,
  assert as property,
  record,
  string,
} from 'fast-check';
import { channelPair, type WorkerChannel } from '../workers/channel.ts';
import { accessLine } from './access-line.ts';
import type { AccessRecord } from './access-log.ts';
import { AccessLogPrinter, BatchingAccessLog } from './access-log-batch.ts';
import { Metrics } from './metrics.ts';

const anyText = string({ unit: 'binary', maxLength: 40 });
const anyLatin1 = string({
  maxLength: 20,
  unit: constantFrom('a', '"', '\\', '\n', '\u0000', '\u001f', '\u007f', 'é', '\u2028', '😀', '\ud800'),
});
const texts = constantFrom(0, 1).chain((kind) => (kind === 0 ? anyText : anyLatin1));
const records = record<AccessRecord>({
  listener: texts,
  rule: option(texts),
  method: texts,
  host: texts,
  path: texts,
  protocol: constantFrom('HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'TCP', 'TLS', 'UDP'),
  status: nat(999),
  reason: option(texts),
  client: texts,
  userId: option(texts),
  pool: option(texts),
  endpoint: option(texts),
  durationMs: double({ min: 0, max: 1e9, noNaN: true }),
  bytesIn: nat(),
  bytesOut: nat(Number.MAX_SAFE_INTEGER),
});

const EXAMPLE: AccessRecord = {
  listener: 'web',
  rule: 'default/chat/hub',
  method: 'GET',
  host: 'chat.example.com',
  path: '/hub',
  protocol: 'HTTP/1.1',
  status: 200,
  reason: null,
  client: '192.0.2.1',
  userId: null,
  pool: 'default/chat',
  endpoint: '192.0.2.9:80',
  durationMs: 1.23456,
  bytesIn: 45,
  bytesOut: 230,
};

test('a line is what JSON.stringify would write, and one line', () => {
  property(
    forAll(records, (one) => {
      const line = accessLine(one, '2026-01-02T03:04:05.678Z');
      const durationMs = Math.round(one.durationMs * 1000) / 1000;
      const expected = JSON.stringify({
        log: 'access',
        time: '2026-01-02T03:04:05.678Z',
        ...one,
        durationMs,
      });
      assert.equal(line, `${expected}\n`);
      assert.equal(line.indexOf('\n'), line.length - 1);
    }),
    { numRuns: 2000 },
  );
});

test('durations have three decimals', () => {
  assert.match(accessLine(EXAMPLE, ''), /"durationMs":1\.235,/);
  assert.match(accessLine({ ...EXAMPLE, durationMs: 0.0004 }, ''), /"durationMs":0,/);
});

/** A worker's log and what the main thread prints of it. */
function logAndOutput(): { log: BatchingAccessLog; printed: () => string } {
  const [worker, main] = channelPair();
  const log = new BatchingAccessLog({ channel: worker, random: () => 0.5 });
  const output = new PassThrough({ highWaterMark: 64 * 1024 * 1024 });
  const printer = new AccessLogPrinter({ output, metrics: new Metrics() });
  printer.addWorker(Object.assign(main, { workerId: 1 }) as WorkerChannel);
  const printed = (): string => {
    const chunks: Buffer[] = [];
    for (let chunk = output.read(); chunk !== null; chunk = output.read()) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  };
  return { log, printed };
}

test('lines reach the output whole and in order, however long they are', async () => {
  const { log, printed } = logAndOutput();
  const long = 'ü'.repeat(200_000);
  const paths = Array.from({ length: 2000 }, (_, i) => (i === 1000 ? long : `/${i}/é`));
  for (const path of paths) log.write({ ...EXAMPLE, path });
  log.flush();
  await turn();
  const lines = printed().trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as AccessRecord).path),
    paths,
  );
});

test('a batch is handed over after a while without a flush', async () => {
  const { log, printed } = logAndOutput();
  log.write(EXAMPLE);
  // The timer of the log keeps no process alive, this one does.
  const alive = setInterval(() => {}, 1000);
  let text = '';
  while (text === '') {
    await turn();
    text = printed();
  }
  clearInterval(alive);
  const { log: kind, time, ...rest } = JSON.parse(text) as AccessRecord & { log: string; time: string };
  assert.equal(kind, 'access');
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
  assert.deepEqual(rest, { ...EXAMPLE, durationMs: 1.235 });
});

test('a sampled log has every server error', () => {
  const { log } = logAndOutput();
  log.apply({ mode: 'Sampled', sampleRatio: 0 });
  assert.deepEqual(
    [200, 499, 500, 504].map((status) => log.wanted(status)),
    [false, false, true, true],
  );
  log.apply({ mode: 'Off', sampleRatio: 0 });
  assert.equal(log.wanted(500), false);
});

test('what is wanted follows the settings', () => {
  const { log } = logAndOutput();
  assert.equal(log.wanted(200), false);
  log.apply({ mode: 'All', sampleRatio: 0 });
  assert.equal(log.wanted(200), true);
  log.apply({ mode: 'Sampled', sampleRatio: 0.4 });
  assert.equal(log.wanted(200), false);
  log.apply({ mode: 'Sampled', sampleRatio: 0.6 });
  assert.equal(log.wanted(200), true);
});
