import assert from 'node:assert/strict';
import test from 'node:test';
import { HostnameIndex, normaliseHost } from './hostname.ts';

test('a host is compared in lower case, without port, trailing dot and brackets', () => {
  const cases = [
    ['example.com', 'example.com'],
    ['EXAMPLE.com', 'example.com'],
    ['example.com:8443', 'example.com'],
    ['Example.Com.:80', 'example.com'],
    ['example.com.', 'example.com'],
    ['[2001:DB8::1]:8080', '2001:db8::1'],
    ['[::1]', '::1'],
    ['::1', '::1'],
    ['127.0.0.1:1', '127.0.0.1'],
    ['', ''],
    ['.', '.'],
  ] as const;
  for (const [host, expected] of cases) assert.equal(normaliseHost(host), expected, host);
});

test('a wildcard covers one or more labels, never none', () => {
  const cases = [
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', '.example.com', false],
    ['*.example.com', 'aexample.com', false],
    ['*.example.com', 'a.example.com.evil', false],
    ['*.com', 'example.com', true],
    ['example.com', 'example.com', true],
    ['example.com', 'a.example.com', false],
    ['*', 'anything', true],
    ['*', '', true],
    ['', 'anything', true],
  ] as const;
  for (const [hostname, host, expected] of cases) {
    const index = new HostnameIndex<string>();
    index.add(hostname, 'x');
    assert.equal(index.find(host) !== null, expected, `${hostname} ${host}`);
  }
});

test('the wildcard of an Ingress covers one label', () => {
  const index = new HostnameIndex<string>();
  index.add('?.foo.com', 'x');
  const cases = [
    ['bar.foo.com', true],
    ['baz.bar.foo.com', false],
    ['foo.com', false],
    ['.foo.com', false],
    ['barfoo.com', false],
    ['', false],
  ] as const;
  for (const [host, expected] of cases) {
    assert.equal(index.find(host) !== null, expected, host);
    assert.equal(index.findAll(host).length > 0, expected, host);
  }
});

test('the most specific hostname wins, whatever the order of adding', () => {
  const index = new HostnameIndex<string>();
  for (const hostname of [
    '*',
    '*.com',
    '*.example.com',
    '?.example.com',
    'www.example.com',
    '*.www.example.com',
  ]) {
    index.add(hostname, hostname);
  }
  const cases = [
    ['www.example.com', 'www.example.com', ['?.example.com', '*.example.com', '*.com', '*']],
    ['a.example.com', '?.example.com', ['*.example.com', '*.com', '*']],
    ['a.b.example.com', '*.example.com', ['*.com', '*']],
    ['a.www.example.com', '*.www.example.com', ['*.example.com', '*.com', '*']],
    ['example.com', '*.com', ['*']],
    ['com', '*', []],
    ['', '*', []],
  ] as const;
  for (const [host, first, rest] of cases) {
    assert.equal(index.find(host), first);
    assert.deepEqual(index.findAll(host), [first, ...rest]);
  }
});

test('of equal hostnames the first one stays', () => {
  const index = new HostnameIndex<number>();
  for (const hostname of ['a.example', '*.example', '*']) {
    index.add(hostname, 1);
    index.add(hostname, 2);
  }
  assert.deepEqual(index.findAll('a.example'), [1, 1, 1]);
});
