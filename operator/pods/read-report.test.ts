import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportError, readReport } from './read-report.ts';

const REPORT = {
  format: 1,
  gateway: { namespace: 'default', name: 'chat' },
  pod: 'chat-1',
  snapshot: null,
  ready: true,
  draining: false,
  problem: null,
  listenFailures: [{ port: 80, listeners: ['web'], message: 'in use' }],
  pools: [{ id: 'default/chat', healthy: 1, total: 2, problem: null }],
  ruleLists: [{ id: 'default/a', connections: 1, rejected: 0, disconnected: 0 }],
};

test('what a proxy writes is read', () => {
  assert.deepEqual(readReport(JSON.stringify(REPORT)), REPORT);
});

test('a report that lacks any field, or has it of another type, is refused by the name of the field', () => {
  for (const field of Object.keys(REPORT).filter((name) => name !== 'format')) {
    for (const value of [undefined, 7, { a: 1 }, [null], ['x']]) {
      const line = JSON.stringify({ ...REPORT, [field]: value });
      assert.throws(
        () => readReport(line),
        new RegExp(`ReportError|field ${field} is not`),
        `${field}: ${line}`,
      );
    }
  }
});

test('what is inside of lists is looked at, too', () => {
  const bad = [
    { pools: [{ ...REPORT.pools[0], healthy: -1 }] },
    { pools: [{ ...REPORT.pools[0], id: null }] },
    { ruleLists: [{ ...REPORT.ruleLists[0], rejected: 1.5 }] },
    { listenFailures: [{ ...REPORT.listenFailures[0], listeners: 'web' }] },
    { gateway: { namespace: 'default' } },
  ];
  for (const changes of bad) {
    assert.throws(() => readReport(JSON.stringify({ ...REPORT, ...changes })), ReportError);
  }
});

test('what is no report at all is refused without a word of it', () => {
  for (const line of ['', '{', 'null', '7', '[]', '{}', '{"format":1}', '{"format":"secret-text"}']) {
    assert.throws(
      () => readReport(line),
      (error: unknown) => error instanceof ReportError && !error.message.includes('secret'),
      line,
    );
  }
});
