import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { service } from '../../test/support/pools.ts';
import type { Clock } from './clock.ts';
import { localServices, type ServicePlaces } from './local-services.ts';
import { ResolveError } from './resolver.ts';

class Time extends ManualClock implements Clock {
  epochMs(): number {
    return this.now();
  }
}

/** Follows `default/chat:80` with the places that the test says; `answers` has the addresses of names. */
function follow(places: ServicePlaces, answers: Record<string, readonly string[]> = {}) {
  const clock = new Time();
  let changes = 0;
  const services = localServices(places, {
    clock,
    random: () => 0,
    resolver: {
      resolve: async (name) => {
        const addresses = answers[name];
        if (addresses === undefined) throw new ResolveError(`${name} does not exist (NXDOMAIN)`);
        return { addresses, ttlMs: null };
      },
    },
  });
  const source = services(service('chat', 80), () => changes++);
  return { clock, source, answers, changes: () => changes };
}

/** Lets answers of names arrive. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a Service is where it was said to be, at all of its places', () => {
  const places = [
    { host: '127.0.0.1', port: 9001 },
    { host: '::1', port: 9002 },
  ];
  const { source } = follow(new Map([['default/chat:80', places]]));
  assert.deepEqual(source.state, {
    addresses: [
      { address: '127.0.0.1', port: 9001 },
      { address: '::1', port: 9002 },
    ],
    problem: null,
    settled: true,
  });
  assert.equal(source.drainsLeft, true);
});

test('a Service of another namespace or port is another one, and what is missing is said', () => {
  const place = [{ host: '127.0.0.1', port: 9001 }];
  const { source } = follow(
    new Map([
      ['other/chat:80', place],
      ['default/chat:81', place],
    ]),
  );
  assert.deepEqual(source.state.addresses, []);
  assert.equal(source.state.settled, true);
  assert.equal(
    source.state.problem,
    'Service default/chat:80 is known inside a cluster only; --service default/chat:80=HOST:PORT says where it is here',
  );
});

test('a name is resolved, and again, with what is wrong with it in words', async () => {
  const { source, answers, clock, changes } = follow(
    new Map([
      [
        'default/chat:80',
        [
          { host: 'chat.example', port: 9001 },
          { host: '127.0.0.1', port: 9002 },
        ],
      ],
    ]),
  );
  assert.equal(source.state.settled, false);
  await settle();
  assert.deepEqual(source.state, {
    addresses: [{ address: '127.0.0.1', port: 9002 }],
    problem: 'chat.example does not exist (NXDOMAIN)',
    settled: true,
  });
  answers['chat.example'] = ['192.0.2.1'];
  clock.advance(1_000);
  await settle();
  assert.equal(changes(), 2);
  assert.equal(source.state.problem, null);
  assert.deepEqual(source.state.addresses[0], { address: '192.0.2.1', port: 9001 });
  assert.equal(source.drainsLeft, false);

  answers['chat.example'] = ['192.0.2.2'];
  source.stop();
  clock.advance(10_000);
  await settle();
  assert.equal(changes(), 2);
});
