import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_PATH_POLICY, normalizePath, type PathPolicy } from './path.ts';

const KEEP: PathPolicy = { encodedSeparators: 'Keep', emptySegments: 'Keep' };

function result(path: string, policy?: PathPolicy): string {
  const normalized = normalizePath(path, policy);
  return typeof normalized === 'string' ? normalized : normalized.code;
}

test('what is in order stays the same string', () => {
  for (const path of [
    '/',
    '/a',
    '/a/b/',
    '/a.b/c..d/e.',
    '/@scope/pkg',
    '/a;b=c/d',
    '*',
    '',
    '/a%20b',
    '/%C3%A4',
    '/a:b',
  ]) {
    assert.equal(result(path), path);
  }
});

test('unreserved characters are decoded, other encodings upper-cased', () => {
  assert.equal(result('/%61dmin/%7Euser/%2D%5f%30'), '/admin/~user/-_0');
  assert.equal(result('/%c3%a4%3f'), '/%C3%A4%3F');
  // Decoded once, never twice.
  assert.equal(result('/%252e%252e/%2561'), '/%252e%252e/%2561');
});

test('dot segments are removed, encoded ones too', () => {
  assert.equal(result('/a/./b/../c'), '/a/c');
  assert.equal(result('/a/%2e%2E/b'), '/b');
  assert.equal(result('/a/.%2e/b'), '/b');
  assert.equal(result('/a/..'), '/');
  assert.equal(result('/a/b/.'), '/a/b/');
  assert.equal(result('/.'), '/');
  assert.equal(result('/...'), '/...');
  assert.equal(result('/.well-known/x'), '/.well-known/x');
});

test('what climbs above the root is refused', () => {
  for (const path of ['/..', '/../a', '/a/../..', '/%2e%2e/etc/passwd', '/./..'])
    assert.equal(result(path), 'PATH_ABOVE_ROOT');
});

test('malformed encodings and control characters are refused', () => {
  for (const path of ['/%', '/%a', '/%zz', '/a%2', '/%%41', '/%u0041', '/%-1'])
    assert.equal(result(path), 'PATH_ENCODING');
  for (const path of ['/%00', '/a%0d%0ab', '/%1f', '/%7f', '/%09'])
    assert.equal(result(path), 'PATH_CONTROL');
});

test('encoded separators: refused, or part of a segment', () => {
  for (const path of ['/a%2fb', '/a%2Fb', '/a%5cb', '/..%2f', '/%2e%2e%2f'])
    assert.equal(result(path), 'PATH_SEPARATOR');
  assert.equal(result('/@scope%2fpkg', KEEP), '/@scope%2Fpkg');
  for (const path of ['/a/..%2fb', '/%2e%2e%5cb', '/a%2f..%2fb', '/a%2f%2e', '/.%5Cb', '/a/..;x%2fb']) {
    assert.equal(result(path, KEEP), 'PATH_DOT_SEGMENT');
  }
});

test('dot segments with path parameters are refused', () => {
  for (const path of ['/a/..;/b', '/a/..;x=y/b', '/.;/b', '/%2e%2e;/b'])
    assert.equal(result(path), 'PATH_DOT_SEGMENT');
  assert.equal(result('/..a;b/c'), '/..a;b/c');
});

test('empty segments: merged, or kept', () => {
  assert.equal(result('//admin'), '/admin');
  assert.equal(result('/a//b///'), '/a/b/');
  assert.equal(result('//'), '/');
  assert.equal(result('/a//b/', KEEP), '/a//b/');
  assert.equal(result('//', KEEP), '//');
  assert.equal(result('/a//../b', KEEP), '/a/b');
  assert.equal(result('/a//../b', DEFAULT_PATH_POLICY), '/b');
});
