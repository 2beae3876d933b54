import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from './suggest.ts';

const cases: [word: string, candidates: string[], expected: string | undefined][] = [
  ['maxCont', ['maxCount', 'claimName'], 'maxCount'],
  ['http', ['HTTP', 'HTTPS'], 'HTTP'],
  ['interval', ['intervalSeconds', 'timeoutSeconds'], 'intervalSeconds'],
  ['timeout', ['timeoutSeconds', 'timeoutWords'], undefined],
  ['max', ['maxConnections'], undefined],
  ['url', ['fqdn', 'ip', 'port'], undefined],
];

for (const [word, candidates, expected] of cases) {
  test(`${word} of ${candidates.join(', ')}: ${expected}`, () => {
    assert.equal(nearest(word, candidates), expected);
  });
}
