import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually, runUntil } from '../../kubernetes/testing/eventually.ts';
import { rig } from '../../kubernetes/testing/rig.ts';
import { service } from '../../test/support/pools.ts';
import { type NameResolver, ResolveError } from '../pools/resolver.ts';
import type { AddressSource } from '../pools/sources.ts';
import { EndpointSlices } from './endpoint-slices.ts';
import { ENDPOINT_SLICES, type EndpointSlice } from './slices.ts';
import { endpointSlice } from './testing/slices.ts';

const PATH = '/apis/discovery.k8s.io/v1/namespaces/chat/endpointslices';

async function setup(t: TestContext) {
  const base = await rig(t);
  const { server, transport, clock, lines } = base;
  const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const names: Record<string, readonly string[]> = {};
  const resolver: NameResolver = {
    resolve: async (name) => {
      const found = names[name];
      if (found === undefined) throw new ResolveError(`${name} does not exist`);
      return { addresses: found, ttlMs: 30_000 };
    },
  };
  const slices = new EndpointSlices({ transport, clock, random: () => 0.5, log, resolver });
  t.after(() => slices.stop());
  const put = (slice: EndpointSlice) => server.put(ENDPOINT_SLICES, { ...slice });
  const follow = (name: string, changes = {}) => {
    const told: string[] = [];
    const source: AddressSource = slices.source(
      service(name, 80, { namespace: 'chat', ...changes }),
      () => void told.push(addresses(source)),
    );
    return { source, told };
  };
  return { ...base, slices, names, put, follow };
}

function addresses({ state }: AddressSource): string {
  return state.addresses.map(({ address, port }) => `${address}:${port}`).join(' ');
}

test('settles with the first list, and follows what changes', async (t) => {
  const { server, put, follow } = await setup(t);
  put(endpointSlice('web', { '10.0.0.1': {} }));
  put(endpointSlice('other', { '10.9.9.9': {} }));
  const { source, told } = follow('web');
  assert.equal(source.state.settled, false);
  assert.match(source.state.problem ?? '', /namespace chat are not known yet/);
  await eventually(() => source.state.settled, 'settled');
  assert.deepEqual(source.state, {
    addresses: [{ address: '10.0.0.1', port: 8080 }],
    resting: [],
    problem: null,
    settled: true,
  });
  assert.equal(source.drainsLeft, true);

  put(endpointSlice('web', { '10.0.0.2': {} }, { name: 'web-2' }));
  await eventually(() => addresses(source) === '10.0.0.1:8080 10.0.0.2:8080', 'a second slice');
  server.delete(ENDPOINT_SLICES, 'chat', 'web-1');
  await eventually(() => addresses(source) === '10.0.0.2:8080', 'the first is gone');
  server.delete(ENDPOINT_SLICES, 'chat', 'web-2');
  await eventually(() => addresses(source) === '', 'the second is gone');
  assert.match(source.state.problem ?? '', /no EndpointSlices of Service chat\/web/);
  assert.equal(told.at(-1), '');
});

test('a Service without slices settles as well', async (t) => {
  const { follow } = await setup(t);
  const { source, told } = follow('web');
  await eventually(() => told.length > 0, 'told');
  assert.equal(source.state.settled, true);
  assert.match(source.state.problem ?? '', /no EndpointSlices of Service chat\/web/);
});

test('a slice that goes over to another Service leaves the first', async (t) => {
  const { put, follow } = await setup(t);
  put(endpointSlice('web', { '10.0.0.1': {} }, { name: 'one' }));
  const web = follow('web').source;
  const other = follow('other').source;
  await eventually(() => addresses(web) !== '', 'known');
  put(endpointSlice('other', { '10.0.0.1': {} }, { name: 'one' }));
  await eventually(() => addresses(other) !== '', 'moved');
  assert.equal(addresses(web), '');
});

test('many slices in one turn are one change', async (t) => {
  const { put, follow } = await setup(t);
  for (let i = 0; i < 50; i++) put(endpointSlice('web', { [`10.0.1.${i}`]: {} }, { name: `web-${i}` }));
  const { source, told } = follow('web');
  await eventually(() => source.state.addresses.length === 50, 'all');
  assert.ok(told.length <= 2, `told ${told.length} times`);
});

test('one watch a namespace, ended a while after its last use', async (t) => {
  const { server, clock, slices, put, follow } = await setup(t);
  put(endpointSlice('web', { '10.0.0.1': {} }));
  const first = follow('web').source;
  const second = follow('web', { portName: 'none' }).source;
  const elsewhere = follow('web', { namespace: 'shop' }).source;
  await eventually(() => [first, second, elsewhere].every(({ state }) => state.settled), 'settled');
  await eventually(() => server.watches.size === 2, 'watches');
  assert.equal(server.requestsTo(PATH).length, 2, 'one list and one watch');
  assert.deepEqual(
    slices.watches().map(({ name }) => name),
    ['endpointslices chat', 'endpointslices shop'],
  );

  first.stop();
  first.stop();
  clock.advance(120_000);
  assert.equal(slices.watches().length, 2, 'the second is still there');
  second.stop();
  clock.advance(59_000);
  const third = follow('web').source;
  assert.equal(addresses(third), '10.0.0.1:8080', 'known at once');
  clock.advance(120_000);
  assert.equal(slices.watches().length, 2, 'in use again');
  third.stop();
  elsewhere.stop();
  clock.advance(60_000);
  assert.deepEqual(slices.watches(), []);
  await eventually(() => server.watches.size === 0, 'no watch is left');
});

test('while the API server is away the last addresses stay, and after a while that is said', async (t) => {
  const { server, clock, put, follow } = await setup(t);
  put(endpointSlice('web', { '10.0.0.1': {} }));
  const { source } = follow('web');
  await eventually(() => addresses(source) !== '', 'known');
  await server.stop();
  await runUntil(clock, () => source.state.problem !== null, 'said');
  assert.equal(addresses(source), '10.0.0.1:8080');
  assert.match(source.state.problem ?? '', /may have changed since: .*ECONNREFUSED/);
  put(endpointSlice('web', { '10.0.0.2': {} }));
  await server.start();
  await runUntil(clock, () => addresses(source) === '10.0.0.2:8080', 'followed again');
  assert.equal(source.state.problem, null);
});

test('no answer to the first list holds up a pool only for a while, and is said', async (t) => {
  const { server, clock, follow } = await setup(t);
  server.fault = () => ({ kind: 'status', status: 403, reason: 'Forbidden' });
  const { source } = follow('web');
  await eventually(() => source.state.problem?.includes('403 Forbidden') === true, 'said');
  assert.equal(source.state.settled, false);
  const waited = await runUntil(clock, () => source.state.settled, 'settled');
  assert.ok(waited <= 5_025, `${waited}`);
  server.fault = () => undefined;
  await runUntil(clock, () => source.state.problem?.includes('no EndpointSlices') === true, 'heals');
});

test('a start while the API server is away reaches Services by their names until it knows better', async (t) => {
  const { server, clock, names, put, follow } = await setup(t);
  put(endpointSlice('web', { '10.0.0.1': {} }));
  await server.stop();
  names['web.chat.svc'] = ['172.20.0.9'];
  const { source, told } = follow('web');
  clock.advance(4_999);
  assert.deepEqual(source.state.addresses, []);
  await runUntil(
    clock,
    () => addresses(source) === '172.20.0.9:80',
    'by its name, and the port of the Service',
  );
  assert.equal(source.state.settled, true);
  const why = /not known yet.*ECONNREFUSED.*until then its name serves$/;
  await eventually(() => why.test(source.state.problem ?? ''), 'that is said');
  assert.equal(source.drainsLeft, false, 'nothing is drained for another list of names');
  const late = follow('other').source;
  await eventually(() => late.state.settled, 'one that comes later is by its name at once');
  assert.match(late.state.problem ?? '', /name serves: other\.chat\.svc does not exist/);

  await server.start();
  await runUntil(clock, () => addresses(source) === '10.0.0.1:8080', 'by its endpoints');
  assert.equal(told.at(-1), '10.0.0.1:8080');
  assert.equal(source.state.problem, null);
  assert.equal(source.drainsLeft, false, 'what stood for the Service leaves without being drained');
  clock.advance(10_000);
  assert.equal(source.drainsLeft, true);
  names['web.chat.svc'] = ['172.20.0.10'];
  clock.advance(120_000);
  assert.equal(addresses(source), '10.0.0.1:8080');
});
