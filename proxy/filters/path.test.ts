import assert from 'node:assert/strict';
import test from 'node:test';
import type { PathModifier, Redirect } from '../config/snapshot.ts';
import { type Location, modifyPath, redirectLocation, rewritePath } from './path.ts';

function prefix(value: string): PathModifier {
  return { type: 'ReplacePrefixMatch', value };
}

function full(value: string): PathModifier {
  return { type: 'ReplaceFullPath', value };
}

test('replaces prefixes as the table of the Gateway API says', () => {
  const cases = [
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
    // Beyond the table.
    ['/foo/bar', '/', '/xyz', '/xyz/foo/bar'],
    ['/', '/', '/xyz', '/xyz/'],
    ['/foo/bar', '/', '/', '/foo/bar'],
    ['/foo/bar', '/foo/bar', '/a/b', '/a/b'],
    ['/foo//bar', '/foo', '/x', '/x//bar'],
  ] as const;
  for (const [path, matched, replacement, expected] of cases) {
    assert.equal(
      modifyPath(prefix(replacement), path, matched),
      expected,
      `${path} ${matched} ${replacement}`,
    );
  }
});

test('replaces full paths, whatever matched', () => {
  assert.equal(modifyPath(full('/new'), '/old/path', null), '/new');
  assert.equal(modifyPath(full('/new/'), '/old', '/old'), '/new/');
  assert.equal(modifyPath(full('new'), '/old', null), '/new');
  assert.equal(modifyPath(full(''), '/old', null), '/');
  assert.equal(modifyPath(prefix('/new'), '/old', null), '/old');
});

test('rewrites paths', () => {
  assert.equal(rewritePath(null, '/a', '/'), '/a');
  assert.equal(rewritePath({ hostname: 'x', path: null }, '/a', '/'), '/a');
  assert.equal(rewritePath({ hostname: null, path: prefix('/b') }, '/a/c', '/a'), '/b/c');
  // Written in any script, even one that no encoding has; what is encoded already stays.
  assert.equal(rewritePath({ hostname: null, path: full('/ü%2F<"') }, '/a', null), '/%C3%BC%2F%3C%22');
  assert.equal(rewritePath({ hostname: null, path: prefix('/\ud800') }, '/a/c', '/a'), '/%EF%BF%BD/c');
});

test('redirects', () => {
  const nothing: Redirect = { scheme: null, hostname: null, path: null, port: null, statusCode: 302 };
  const http: Location = { scheme: 'http', host: 'example.com', path: '/a/b', query: '' };
  const https: Location = { ...http, scheme: 'https' };
  const cases: [redirect: Partial<Redirect>, request: Location, listenerPort: number, expected: string][] = [
    [{ hostname: 'other.example' }, http, 80, 'http://other.example/a/b'],
    // Without a scheme: the listener's port, but for the well-known one of the request's scheme.
    [{ hostname: 'other.example' }, http, 8080, 'http://other.example:8080/a/b'],
    [{ hostname: 'other.example' }, https, 443, 'https://other.example/a/b'],
    [{ hostname: 'other.example' }, https, 8443, 'https://other.example:8443/a/b'],
    [{ hostname: 'other.example' }, http, 443, 'http://other.example:443/a/b'],
    // With a scheme: its well-known port.
    [{ scheme: 'https' }, http, 8080, 'https://example.com/a/b'],
    [{ scheme: 'http' }, https, 8443, 'http://example.com/a/b'],
    [{ scheme: 'http' }, http, 8080, 'http://example.com/a/b'],
    // A port that is given, left out where it is the scheme's own.
    [{ port: 8083 }, http, 80, 'http://example.com:8083/a/b'],
    [{ port: 80 }, http, 8080, 'http://example.com/a/b'],
    [{ port: 443 }, https, 8443, 'https://example.com/a/b'],
    [{ scheme: 'https', port: 443 }, http, 80, 'https://example.com/a/b'],
    [{ scheme: 'https', port: 80 }, http, 80, 'https://example.com:80/a/b'],
    [{ scheme: 'http', port: 443 }, https, 443, 'http://example.com:443/a/b'],
    [{ path: full('/new') }, http, 80, 'http://example.com/new'],
    [{ path: prefix('/x') }, http, 80, 'http://example.com/x/b'],
    // The query stays.
    [{ path: full('/new') }, { ...http, query: 'a=1&b=%20' }, 80, 'http://example.com/new?a=1&b=%20'],
    [{}, { ...http, host: '[2001:db8::1]' }, 8080, 'http://[2001:db8::1]:8080/a/b'],
    [{}, { ...http, host: '2001:db8::1' }, 80, 'http://[2001:db8::1]/a/b'],
    // Nothing can end the field line, and nothing makes the path another host.
    [{}, { ...http, path: '/a\r\nX: y é' }, 80, 'http://example.com/a%0D%0AX:%20y%20%C3%A9'],
    [{}, { ...http, path: '//evil.example/x' }, 80, 'http://example.com//evil.example/x'],
  ];
  for (const [redirect, request, listenerPort, expected] of cases) {
    const location = redirectLocation({ ...nothing, ...redirect }, request, '/a', listenerPort);
    assert.equal(location, expected, JSON.stringify(redirect));
  }
});
