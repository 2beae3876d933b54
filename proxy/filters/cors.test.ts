import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from '../../test/support/requests.ts';
import type { Cors, Header } from '../config/snapshot.ts';
import { compileCors, isPreflight } from './cors.ts';

const BASE: Cors = {
  allowOrigins: ['https://www.foo.com', 'https://*.bar.com'],
  allowCredentials: false,
  allowMethods: ['GET', 'OPTIONS'],
  allowHeaders: ['x-header-1', 'x-header-2'],
  exposeHeaders: ['x-header-3', 'x-header-4'],
  maxAgeSeconds: 3600,
};

function byName(headers: readonly Header[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, value } of headers) {
    const lower = name.toLowerCase();
    found[lower] = lower in found ? `${found[lower]}, ${value}` : value;
  }
  return found;
}

function preflight(cors: Partial<Cors>, origin: string, asked: Record<string, string> = {}) {
  const headers = { Origin: origin, 'Access-Control-Request-Method': 'PUT', ...asked };
  return byName(compileCors({ ...BASE, ...cors }).preflight(request('/', { method: 'OPTIONS', headers })));
}

function actual(cors: Partial<Cors>, origin?: string): Record<string, string> {
  const headers = origin === undefined ? {} : { Origin: origin };
  return byName(compileCors({ ...BASE, ...cors }).responseEdit(request('/', { headers })).fields);
}

test('a preflight is OPTIONS with an origin and a method that is asked for', () => {
  const headers = { Origin: 'https://a.example', 'Access-Control-Request-Method': 'GET' };
  assert(isPreflight(request('/', { method: 'OPTIONS', headers })));
  assert(!isPreflight(request('/', { method: 'GET', headers })));
  assert(!isPreflight(request('/', { method: 'OPTIONS', headers: { Origin: 'https://a.example' } })));
  assert(!isPreflight(request('/', { method: 'OPTIONS' })));
});

test('answers a preflight of an allowed origin', () => {
  assert.deepEqual(preflight({ allowCredentials: true }, 'https://www.foo.com'), {
    'access-control-allow-origin': 'https://www.foo.com',
    'access-control-allow-credentials': 'true',
    'access-control-allow-methods': 'GET, OPTIONS',
    'access-control-allow-headers': 'x-header-1, x-header-2',
    'access-control-expose-headers': 'x-header-3, x-header-4',
    'access-control-max-age': '3600',
    vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
  });
});

test('says nothing to another origin but what caches need', () => {
  assert.deepEqual(Object.keys(preflight({}, 'https://foobar.com')), ['vary']);
  assert.deepEqual(actual({}, 'https://foobar.com'), { vary: 'Origin' });
  assert.deepEqual(actual({}), { vary: 'Origin' });
});

test('origins', () => {
  const cases: [allowed: string, allowing: string[], others: string[]][] = [
    [
      'https://www.foo.com',
      ['https://www.foo.com', 'https://www.foo.com:443'],
      [
        'http://www.foo.com',
        'https://www.foo.com:8443',
        'https://foo.com',
        'https://www.foo.com.evil',
        'null',
        '',
      ],
    ],
    [
      'https://*.bar.com',
      ['https://www.bar.com', 'https://xpto.www.bar.com'],
      [
        'https://bar.com',
        'https://.bar.com.evil',
        'https://evilbar.com',
        'https://a.bar.com:8443',
        'http://a.bar.com',
      ],
    ],
    ['http://*.bar.com:8080', ['http://a.bar.com:8080'], ['http://a.bar.com']],
    ['https://*', ['https://anything.example'], ['http://anything.example', 'https://a.example:1']],
    [
      'https://a*z.*.com',
      ['https://abz.x.com', 'https://a.z.x.com'],
      ['https://az.x.com', 'https://abz.com'],
    ],
    ['http://[::1]:3000', ['http://[::1]:3000'], ['http://[::1]', 'http://[::2]:3000']],
    ['*', ['https://any.example', 'null'], ['']],
  ];
  for (const [allowed, allowing, others] of cases) {
    const cors = { allowOrigins: [allowed], allowCredentials: true };
    for (const origin of allowing) {
      assert.equal(actual(cors, origin)['access-control-allow-origin'], origin, `${allowed}: ${origin}`);
    }
    for (const origin of others) {
      assert(!('access-control-allow-origin' in actual(cors, origin)), `${allowed}: not ${origin}`);
    }
  }
});

test('any origin: a star without credentials, the origin itself with them', () => {
  const star = actual({ allowOrigins: ['*'] }, 'https://a.example');
  assert.equal(star['access-control-allow-origin'], '*');
  assert(!('vary' in star) && !('access-control-allow-credentials' in star));
  const credentials = actual({ allowOrigins: ['*'], allowCredentials: true }, 'https://a.example');
  assert.equal(credentials['access-control-allow-origin'], 'https://a.example');
  assert.equal(credentials['access-control-allow-credentials'], 'true');
  assert.equal(credentials.vary, 'Origin');
});

test('any method, any header: what is asked for, and nothing where nothing is', () => {
  const any = { allowMethods: ['*'], allowHeaders: ['*'], exposeHeaders: ['*'] };
  for (const allowCredentials of [true, false]) {
    const answer = preflight({ ...any, allowCredentials }, 'https://www.foo.com', {
      'Access-Control-Request-Headers': 'authorization, x-a',
    });
    assert.equal(answer['access-control-allow-methods'], 'PUT');
    assert.equal(answer['access-control-allow-headers'], 'authorization, x-a');
    assert.equal(answer['access-control-expose-headers'], allowCredentials ? undefined : '*');
  }
  assert(!('access-control-allow-headers' in preflight(any, 'https://www.foo.com')));
  const none = preflight({ allowMethods: [], allowHeaders: [], exposeHeaders: [] }, 'https://www.foo.com');
  assert.deepEqual(Object.keys(none), ['access-control-allow-origin', 'access-control-max-age', 'vary']);
});

test("a backend's own answers are left out", () => {
  const edit = compileCors(BASE).responseEdit(request('/', { headers: { Origin: 'https://www.foo.com' } }));
  assert(
    edit.dropped.has('access-control-allow-origin') && edit.dropped.has('access-control-allow-credentials'),
  );
  assert.equal(
    edit.lines,
    'Access-Control-Allow-Origin: https://www.foo.com\r\nAccess-Control-Expose-Headers: x-header-3, x-header-4\r\nVary: Origin\r\n',
  );
});
