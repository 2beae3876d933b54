import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { request } from '../../test/support/requests.ts';
import { backend, listener, NO_FILTERS, port, route, rule, snapshot } from '../../test/support/snapshots.ts';
import type { Listener, ListenerTls, Port, RouteEntry, VirtualHost } from '../config/snapshot.ts';
import { HeaderList } from '../http/codec/headers.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { buildRoutingTable, type ListenerTable, MISDIRECTED, matchRoute } from './table.ts';

const RULES = Array.from({ length: 20 }, (_, index) => rule(`rule-${index}`));

function tableOf(...hosts: VirtualHost[]): ListenerTable {
  const table = buildRoutingTable(
    snapshot({ ports: [port(80, [listener('web', { hosts })])], rules: RULES }),
  );
  const found = table.listenerFor(80, 'example.com');
  assert(found !== null && found !== MISDIRECTED);
  return found;
}

function tableOfRoutes(...routes: RouteEntry[]): ListenerTable {
  return tableOf({ hostname: '*', routes });
}

function ruleOf(table: ListenerTable, ...args: Parameters<typeof request>): number | null {
  const target = matchRoute(table, request(...args));
  return target === null ? null : Number(target.rule.rule.id.slice('rule-'.length));
}

test('paths: exact, by element, by pattern', () => {
  const cases: [path: string, matching: string[], other: string[]][] = [
    ['Exact:/a', ['/a', '/a?x=1'], ['/a/', '/A', '/ab', '/', '/a/b']],
    ['Exact:/a/', ['/a/'], ['/a']],
    ['Exact:/', ['/'], ['/a', '//']],
    ['/abc', ['/abc', '/abc/', '/abc/d', '/abc//d', '/abc?q'], ['/abcd', '/ab', '/', '/ABC', '/x/abc']],
    ['/abc/', ['/abc', '/abc/', '/abc/d'], ['/abcd']],
    ['/a/b', ['/a/b', '/a/b/c/d'], ['/a', '/a/bc', '/a/c/b']],
    ['/', ['/', '/a', '/a/b', '//'], ['*']],
    ['RegularExpression:/v[12]/.*', ['/v1/', '/v2/a/b'], ['/v3/', '/v1', 'x/v1/']],
  ];
  for (const [path, matching, other] of cases) {
    const table = tableOfRoutes(route(path, 1));
    for (const target of matching) assert.equal(ruleOf(table, target), 1, `${path} matches ${target}`);
    for (const target of other) assert.equal(ruleOf(table, target), null, `${path} does not match ${target}`);
  }
});

test('the first in order wins, whatever kinds the paths are', () => {
  const table = tableOfRoutes(
    route('RegularExpression:/a/.*/first', 0),
    route('/a/b', 1, { method: 'POST' }),
    route('Exact:/a/b', 2),
    route('/a/b', 3),
    route('RegularExpression:/a/.*', 4),
    route('/a', 5),
    route('/', 6, { method: 'GET' }),
    route('RegularExpression:.*', 7),
  );
  const cases = [
    ['/a/b/first', 'GET', 0],
    ['/a/b', 'POST', 1],
    ['/a/b', 'GET', 2],
    ['/a/b/', 'GET', 3],
    ['/a/c', 'GET', 4],
    ['/a', 'GET', 5],
    ['/x', 'GET', 6],
    ['/x', 'PUT', 7],
  ] as const;
  for (const [target, method, expected] of cases) {
    assert.equal(ruleOf(table, target, { method }), expected, `${method} ${target}`);
  }
});

test('finds what a search through all routes finds', () => {
  const element = fc.constantFrom('a', 'b', 'ab', '');
  const path = fc.array(element, { maxLength: 4 }).map((elements) => `/${elements.join('/')}`);
  const routes = fc.array(
    fc.record({
      kind: fc.constantFrom('Exact:', 'PathPrefix', 'RegularExpression:'),
      path,
      method: fc.constantFrom(null, 'GET', 'POST'),
    }),
    { maxLength: 15 },
  );
  fc.assert(
    fc.property(routes, path, fc.constantFrom('GET', 'POST'), (list, target, method) => {
      const table = tableOfRoutes(
        ...list.map((one, index) =>
          route(`${one.kind === 'PathPrefix' ? '' : one.kind}${one.path}`, index, { method: one.method }),
        ),
      );
      const expected = list.findIndex((one) => {
        if (one.method !== null && one.method !== method) return false;
        if (one.kind !== 'PathPrefix') return one.path === target;
        const elements = one.path.replace(/\/+$/, '').split('/');
        return elements.every((value, index) => target.split('/')[index] === value);
      });
      assert.equal(ruleOf(table, target, { method }), expected === -1 ? null : expected);
    }),
    { numRuns: 2000 },
  );
});

test('headers: names in any case, several values as one, all must match', () => {
  const table = tableOfRoutes(
    route('/', 1, {
      headers: [
        { name: 'x-version', type: 'Exact', value: '2' },
        { name: 'x-env', type: 'RegularExpression', value: 'can.*' },
      ],
    }),
    route('/', 2, { headers: [{ name: 'x-list', type: 'Exact', value: 'a, b' }] }),
  );
  assert.equal(ruleOf(table, '/', { headers: { 'X-Version': '2', 'X-ENV': 'canary' } }), 1);
  assert.equal(ruleOf(table, '/', { headers: { 'X-Version': '2' } }), null);
  assert.equal(ruleOf(table, '/', { headers: { 'X-Version': '2', 'x-env': 'a canary' } }), null);
  const twice = new HeaderList([
    ['X-List', 'a'],
    ['x-list', 'b'],
  ]);
  const target = matchRoute(table, { ...request('/'), headers: twice });
  assert.equal(target?.rule.rule.id, 'rule-2');
});

test('query parameters: the first of a name, decoded', () => {
  const exact = (name: string, value: string) => ({
    queryParams: [{ name, type: 'Exact', value } as const],
  });
  const table = tableOfRoutes(
    route('/', 1, exact('a', '1')),
    route('/', 2, exact('animal', 'whale & co')),
    route('/', 3, exact('flag', '')),
    route('/', 4, { queryParams: [{ name: 'n', type: 'RegularExpression', value: '\\d+' }] }),
    route('/', 5, exact('é', 'ü')),
    route('/', 6, exact('bad', '%zz')),
  );
  const cases = [
    ['/?a=1', 1],
    ['/?x=&a=1&b', 1],
    ['/?a=2&a=1', null],
    ['/?aa=1', null],
    ['/?A=1', null],
    ['/?animal=whale%20%26+co', 2],
    ['/?flag', 3],
    ['/?flag=', 3],
    ['/?&&flag&', 3],
    ['/?n=12', 4],
    ['/?n=1x', null],
    ['/?%C3%A9=%C3%BC', 5],
    ['/?bad=%zz', 6],
    ['/?', null],
    ['/', null],
  ] as const;
  for (const [target, expected] of cases) assert.equal(ruleOf(table, target), expected, target);
});

test('virtual hosts: the most specific first, then the next that covers the host', () => {
  const table = tableOf(
    { hostname: 'www.example.com', routes: [route('/exact', 1)] },
    { hostname: '*.example.com', routes: [route('/wild', 2)] },
    { hostname: '*', routes: [route('/wild', 3), route('/any', 4)] },
  );
  const cases = [
    ['www.example.com', '/exact', 1],
    ['www.example.com', '/wild', 2],
    ['www.example.com', '/any', 4],
    ['a.b.example.com', '/wild', 2],
    ['a.example.com', '/exact', null],
    ['example.com', '/wild', 3],
    ['', '/any', 4],
  ] as const;
  // Twice, since the second time is answered from memory.
  for (const round of [1, 2]) {
    for (const [host, target, expected] of cases) {
      assert.equal(ruleOf(table, target, { host }), expected, `${round}: ${host}${target}`);
    }
  }
});

test('a request belongs to the most specific listener, and to no other', () => {
  const web = port(80, [
    listener('exact', { hostnames: ['www.example.com', 'x.example.com'] }),
    listener('wild', { hostnames: ['*.example.com'] }),
    listener('wilder', { hostnames: ['*.com'] }),
    listener('any'),
  ]);
  const closed = port(81, [listener('only', { hostnames: ['only.example'] })]);
  const table = buildRoutingTable(snapshot({ ports: [web, closed] }));
  const cases = [
    [80, 'www.example.com', 'exact'],
    [80, 'WWW.Example.COM.:8080', 'exact'],
    [80, 'x.example.com', 'exact'],
    [80, 'y.example.com', 'wild'],
    [80, 'example.com', 'wilder'],
    [80, 'example.org', 'any'],
    [80, '', 'any'],
    [81, 'only.example', 'only'],
    [81, 'other.example', undefined],
    [81, '', undefined],
    [82, 'only.example', undefined],
  ] as const;
  for (const [number, host, expected] of cases) {
    const found = table.listenerFor(number, host);
    assert(found !== MISDIRECTED);
    assert.equal(found?.listener.name, expected, host);
  }
});

function https(name: string, hostnames: string[], changes: Partial<ListenerTls> = {}): Listener {
  const tls = {
    mode: 'Terminate',
    certificates: ['c'],
    minVersion: 'TLSv1.2',
    clientValidation: null,
  } as const;
  return listener(name, { protocol: 'HTTPS', hostnames, tls: { ...tls, ...changes } });
}

test('over TLS, a host of another listener than the connection is misdirected', () => {
  const validation = { clientValidation: { caPem: 'ca', mode: 'Require' } } as const;
  const withAny: Port = port(
    443,
    [https('secret', ['secret.example'], validation), https('wild', ['*.example']), https('any', [])],
    { transport: 'TLS' },
  );
  const named = port(444, [https('a', ['a.example']), https('b', ['b.example'], { certificates: ['d'] })], {
    transport: 'TLS',
  });
  const table = buildRoutingTable(snapshot({ ports: [withAny, named] }));
  const cases = [
    [443, 'secret.example', 'secret.example', 'secret'],
    [443, 'x.example', 'secret.example', MISDIRECTED],
    [443, 'secret.example', 'x.example', MISDIRECTED],
    [443, '', 'secret.example', MISDIRECTED],
    [443, 'x.example', 'y.example', 'wild'],
    [443, 'Y.EXAMPLE', 'y.example', 'wild'],
    [443, 'x.example', 'other.org', MISDIRECTED],
    [443, 'other.org', 'another.org', 'any'],
    // Without a server name: the connection was the same as it would have been with one, or it was not.
    [443, '', 'x.example', 'wild'],
    [444, '', 'a.example', 'a'],
    [444, '', 'b.example', MISDIRECTED],
    [444, 'a.example', 'nobody.example', null],
  ] as const;
  for (const [number, sni, host, expected] of cases) {
    const found = table.listenerFor(number, host, sni);
    const name = found === null || found === MISDIRECTED ? found : found.listener.name;
    assert.equal(name, expected, `${sni} ${host}`);
  }
});

test('the prefix that matched is told, for rewriting', () => {
  const table = tableOfRoutes(route('/a/', 1), route('Exact:/b', 1), route('/', 1));
  const prefixes = ['/a/x', '/b', '/c'].map((target) => matchRoute(table, request(target))?.matchedPrefix);
  assert.deepEqual(prefixes, ['/a', null, '/']);
  assert.equal(matchRoute(table, request('/a')), matchRoute(table, request('/a/b')));
});

test('backends by weight, weight 0 never', () => {
  const table = buildRoutingTable(
    snapshot({
      rules: [
        rule('weighted', {
          backends: [backend('a', 1), backend('zero', 0), backend('b', 3), backend('c', 0)],
        }),
        rule('none', { backends: [backend('zero', 0)] }),
        rule('one', { backends: [backend(null)] }),
      ],
    }),
  );
  const [weighted, none, one] = table.rules;
  const picked = [0, 0.2499, 0.25, 0.5, 0.9999999].map(
    (random) => weighted!.chooseBackend(() => random)?.pool,
  );
  assert.deepEqual(picked, ['a', 'a', 'b', 'b', 'b']);
  assert.equal(
    none!.chooseBackend(() => 0),
    null,
  );
  const only = one!.chooseBackend(() => 0.5);
  assert(only !== null && only.pool === null);
});

test('filters of the rule and of its backend become one, in this order', () => {
  const filters = {
    ...NO_FILTERS,
    requestHeaders: {
      set: [{ name: 'X-A', value: 'rule' }],
      add: [{ name: 'X-B', value: 'rule' }],
      remove: ['x-c'],
    },
    rewrite: { hostname: 'rule.example', path: { type: 'ReplaceFullPath', value: '/rule' } as const },
  };
  const own = {
    requestHeaders: {
      set: [{ name: 'x-a', value: 'backend' }],
      add: [{ name: 'X-C', value: 'backend' }],
      remove: ['x-b'],
    },
    rewrite: { hostname: 'backend.example', path: null },
  };
  const table = buildRoutingTable(
    snapshot({ rules: [rule('r', { filters, backends: [backend('p', 1, own)] })] }),
  );
  const chosen = table.rules[0]!.chooseBackend(() => 0)!;
  assert.deepEqual([...chosen.requestEdit!.dropped].sort(), ['x-a', 'x-b', 'x-c']);
  assert.equal(chosen.requestEdit!.lines, 'x-a: backend\r\nX-C: backend\r\n');
  assert.equal(chosen.responseEdit, null);
  assert.deepEqual(chosen.rewrite, {
    hostname: 'backend.example',
    path: { type: 'ReplaceFullPath', value: '/rule' },
  });
});

test('series of a rule stay the same over tables', () => {
  const metrics = new Metrics();
  const build = () => buildRoutingTable(snapshot({ rules: [rule('r')] }), metrics).rules[0]!.series!;
  build().requests[2]!.add();
  assert.equal(build().requests[2]!.value, 1);
});

test('a snapshot that no compiler makes is our bug', () => {
  const broken = [
    snapshot({ ports: [port(80, [listener('a', { hosts: [{ hostname: '*', routes: [route('/', 7)] }] })])] }),
    snapshot({ ports: [port(80, []), port(80, [])] }),
    snapshot({
      rules: RULES,
      ports: [
        port(80, [listener('a', { hosts: [{ hostname: '*', routes: [route('RegularExpression:(', 0)] }] })]),
      ],
    }),
  ];
  for (const one of broken) assert.throws(() => buildRoutingTable(one), { code: 'ERR_ASSERTION' });
});
