import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressesOf, type EndpointSlice, serviceOf } from './slices.ts';
import { endpointSlice } from './testing/slices.ts';

const GOING = { ready: false, serving: true, terminating: true };
const GONE = { ready: false, serving: false, terminating: true };
const UNREADY = { ready: false, serving: false, terminating: false };

function found(slices: readonly EndpointSlice[], portName = '') {
  const { addresses, resting, problem } = addressesOf('chat/web', slices, portName);
  const words = (list: typeof addresses) => list.map(({ address, port }) => `${address} ${port}`);
  return { addresses: words(addresses), resting: words(resting), problem };
}

test('ready endpoints are used, and those without a word on it are', () => {
  const slice = endpointSlice('web', { '10.0.0.2': { ready: true }, '10.0.0.1': {}, '10.0.0.3': UNREADY });
  assert.deepEqual(found([slice]), {
    addresses: ['10.0.0.1 8080', '10.0.0.2 8080'],
    resting: ['10.0.0.3 8080'],
    problem: null,
  });
  assert.deepEqual(found([{ ...slice, endpoints: [{ addresses: ['10.0.0.1'] }] }]).addresses, [
    '10.0.0.1 8080',
  ]);
});

test('what is about to go takes nothing new while anything is ready', () => {
  const slice = endpointSlice('web', { '10.0.0.1': {}, '10.0.0.2': GOING, '10.0.0.3': GONE });
  assert.deepEqual(found([slice]), { addresses: ['10.0.0.1 8080'], resting: [], problem: null });
});

test('what is about to go and can still serve is used when nothing is ready', () => {
  const slice = endpointSlice('web', { '10.0.0.1': UNREADY, '10.0.0.2': GOING, '10.0.0.3': GONE });
  assert.deepEqual(found([slice]), {
    addresses: ['10.0.0.2 8080'],
    resting: ['10.0.0.1 8080'],
    problem: null,
  });
});

test('one that is about to go is no better for being published as ready', () => {
  const published = { ready: true, serving: false, terminating: true };
  const slice = endpointSlice('web', { '10.0.0.1': {}, '10.0.0.2': published });
  assert.deepEqual(found([slice]).addresses, ['10.0.0.1 8080']);
  assert.deepEqual(found([endpointSlice('web', { '10.0.0.2': published })]).addresses, []);
});

test('without a word on serving, it is what ready is', () => {
  const slice = endpointSlice('web', { '10.0.0.1': { ready: true, terminating: true } });
  assert.deepEqual(found([slice]).addresses, ['10.0.0.1 8080']);
});

test('all slices count, of both families, and each address once', () => {
  const slices = [
    endpointSlice('web', { '10.0.0.1': {}, '10.0.0.2': UNREADY }),
    endpointSlice('web', { '10.0.0.2': {}, '10.0.0.1': GOING }, { name: 'web-2' }),
    endpointSlice('web', { 'fd00::1': {} }, { name: 'web-3', addressType: 'IPv6' }),
    endpointSlice('web', { 'a.example': {} }, { name: 'web-4', addressType: 'FQDN' }),
  ];
  assert.deepEqual(found(slices), {
    addresses: ['10.0.0.1 8080', '10.0.0.2 8080', 'fd00::1 8080'],
    resting: [],
    problem: null,
  });
  assert.deepEqual(found(slices.toReversed()), found(slices), 'in whatever order');
});

test('the port goes by its name, and may differ from slice to slice', () => {
  const ports = [
    { name: 'web', port: 8080 },
    { name: 'metrics', port: 9090 },
  ];
  const slices = [
    endpointSlice('web', { '10.0.0.1': {} }, { ports }),
    endpointSlice('web', { '10.0.0.2': {} }, { name: 'web-2', ports: [{ name: 'metrics', port: 9191 }] }),
  ];
  assert.deepEqual(found(slices, 'metrics').addresses, ['10.0.0.1 9090', '10.0.0.2 9191']);
  assert.deepEqual(found(slices, 'web').addresses, ['10.0.0.1 8080']);
});

test('why there is nothing is said', () => {
  const cases: readonly [readonly EndpointSlice[], string, RegExp][] = [
    [[], '', /no EndpointSlices of Service chat\/web/],
    [[endpointSlice('web', {}, { ports: [] })], '', /Service chat\/web has no endpoints/],
    [[{ ...endpointSlice('web', {}), endpoints: null, ports: null }], '', /has no endpoints/],
    [
      [endpointSlice('web', { '10.0.0.1': UNREADY, '10.0.0.2': GONE })],
      '',
      /none of 2 endpoints .* is ready/,
    ],
    [
      [endpointSlice('web', { '10.0.0.1': {} })],
      'http',
      /found ports one without a name, expected port http/,
    ],
    [
      [
        endpointSlice(
          'web',
          { '10.0.0.1': {} },
          {
            ports: [
              { name: 'b', port: 1 },
              { name: 'a', port: 2 },
            ],
          },
        ),
      ],
      '',
      /found ports a, b, expected a port without a name/,
    ],
    [[endpointSlice('web', { '10.0.0.1': {} }, { ports: [] })], '', /found no port, expected/],
  ];
  for (const [slices, portName, words] of cases) {
    const { addresses, problem } = found(slices, portName);
    assert.deepEqual(addresses, []);
    assert.match(problem ?? '', words);
  }
});

test('a slice names its Service by a label', () => {
  assert.equal(serviceOf(endpointSlice('web', {})), 'web');
  const { labels: _, ...metadata } = endpointSlice('web', {}).metadata;
  assert.equal(serviceOf({ ...endpointSlice('web', {}), metadata }), null);
});
