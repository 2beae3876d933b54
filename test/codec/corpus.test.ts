import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseWithCodec } from './codec-stream.ts';
import { compare } from './compare.ts';
import { REGRESSIONS } from './corpus/regressions.ts';
import { SMUGGLING } from './corpus/smuggling.ts';
import { check } from './fuzz.ts';
import { parseWithLlhttp } from './llhttp-stream.ts';
import { Random } from './random.ts';

describe('smuggling corpus', () => {
  test('is large and has no doubles', () => {
    assert(SMUGGLING.length >= 150);
    assert.equal(new Set(SMUGGLING.map(({ raw }) => raw)).size, SMUGGLING.length);
  });

  for (const { raw, verdict } of SMUGGLING) {
    test(JSON.stringify(raw).slice(0, 140), () => {
      const bytes = Buffer.from(raw, 'latin1');
      const whole = parseWithCodec('request', bytes, 'GET');
      const single = parseWithCodec('request', bytes, 'GET', [...bytes.keys()]);
      for (const stream of [whole, single]) {
        if (typeof verdict === 'string') assert.equal(stream.error, verdict);
        else {
          assert.equal(stream.error, null);
          assert.deepEqual(
            stream.messages.map(({ start, target, body }) => `${start} ${target} ${body}`),
            verdict,
          );
          assert(stream.messages.every(({ complete }) => complete));
        }
      }
      assert.equal(compare(whole, parseWithLlhttp('request', bytes, 'GET')), null);
    });
  }
});

describe('cases that the differential fuzzer found', () => {
  for (const [index, fuzzCase] of REGRESSIONS.entries()) {
    test(`${index}: ${fuzzCase.kind} ${JSON.stringify(fuzzCase.raw).slice(0, 120)}`, () => {
      const bytes = Buffer.from(fuzzCase.raw, 'latin1');
      const { problem, error } = check({ ...fuzzCase, bytes }, new Random(index));
      assert.equal(problem, null);
      assert.equal(error, fuzzCase.error);
    });
  }
});
