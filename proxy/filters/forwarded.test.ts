import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { HeaderList, isFieldValue } from '../http/codec/headers.ts';
import {
  canonicalAddress,
  clientAddressOf,
  droppedForwardedFields,
  forwardedLines,
  type Hop,
} from './forwarded.ts';

const HOP: Hop = { peerAddress: '192.0.2.9', scheme: 'https', authority: 'chat.example:8443', port: 8443 };

function lines(
  emit: 'XForwarded' | 'Forwarded' | 'Both',
  trustedHops: number,
  headers: [string, string][] = [],
  hop: Partial<Hop> = {},
): string[] {
  const text = forwardedLines({ emit, trustedHops }, { ...HOP, ...hop }, new HeaderList(headers));
  assert(text.endsWith('\r\n'));
  return text.slice(0, -2).split('\r\n');
}

test('addresses in their shortest form', () => {
  const cases = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['192.0.2.256', null],
    ['192.0.2.01', null],
    ['unknown', null],
    ['', null],
  ] as const;
  for (const [address, expected] of cases) assert.equal(canonicalAddress(address), expected, address);
});

test("the client's address by trusted hops", () => {
  const cases: [trustedHops: number, headers: [string, string][], expected: string][] = [
    [0, [['X-Forwarded-For', '1.1.1.1']], '192.0.2.9'],
    [1, [], '192.0.2.9'],
    [1, [['X-Forwarded-For', '1.1.1.1']], '1.1.1.1'],
    [1, [['X-Forwarded-For', '6.6.6.6, 1.1.1.1']], '1.1.1.1'],
    [2, [['X-Forwarded-For', '6.6.6.6, 1.1.1.1, 10.0.0.1']], '1.1.1.1'],
    [2, [['X-Forwarded-For', '1.1.1.1']], '192.0.2.9'],
    // Several field lines are one list.
    [
      2,
      [
        ['X-Forwarded-For', '6.6.6.6'],
        ['x-forwarded-for', '1.1.1.1,10.0.0.1'],
      ],
      '1.1.1.1',
    ],
    [1, [['X-Forwarded-For', '1.1.1.1:4711']], '1.1.1.1'],
    [1, [['X-Forwarded-For', '[2001:DB8::1]:4711']], '2001:db8::1'],
    [1, [['X-Forwarded-For', '2001:db8::1']], '2001:db8::1'],
    [1, [['X-Forwarded-For', '::ffff:1.1.1.1']], '1.1.1.1'],
    // What is no address is not believed, and does not move the others.
    [1, [['X-Forwarded-For', '1.1.1.1, unknown']], '192.0.2.9'],
    [1, [['X-Forwarded-For', '1.1.1.1, <script>']], '192.0.2.9'],
    [2, [['X-Forwarded-For', '1.1.1.1, !!, 10.0.0.1']], '192.0.2.9'],
    [1, [['X-Forwarded-For', '']], '192.0.2.9'],
    [1, [['Forwarded', 'for=6.6.6.6, FOR="[2001:db8::1]:4711";proto=http;by=_x']], '2001:db8::1'],
    [1, [['Forwarded', 'proto=http;for=1.1.1.1']], '1.1.1.1'],
    [1, [['Forwarded', 'for=_hidden']], '192.0.2.9'],
    // The proxy added a whole element to what the client had begun.
    [1, [['Forwarded', 'for="a, for=6.6.6.6']], '6.6.6.6'],
    [1, [['Forwarded', 'proto=http']], '192.0.2.9'],
    [
      1,
      [
        ['Forwarded', 'for=6.6.6.6'],
        ['X-Forwarded-For', '1.1.1.1'],
      ],
      '1.1.1.1',
    ],
  ];
  for (const [trustedHops, headers, expected] of cases) {
    const found = clientAddressOf('192.0.2.9', new HeaderList(headers), trustedHops);
    assert.equal(found, expected, `${trustedHops} ${JSON.stringify(headers)}`);
  }
});

test('a quote that a client left open does not hide what the trusted proxies wrote', () => {
  const proxied = ['1.1.1.1', '10.0.0.1'];
  for (const hostile of [
    '"',
    '6.6.6.6, "',
    '"\\',
    '\\"',
    '"a" "',
    'for="',
    'for="6.6.6.6;x="',
    'for="\\"',
    'for=6.6.6.6;"\\',
  ]) {
    for (const trustedHops of [1, 2]) {
      const chain = [hostile, ...proxied.slice(0, trustedHops)].join(', ');
      const elements = [hostile, ...proxied.slice(0, trustedHops).map((entry) => `for=${entry};x="a,b\\"c"`)];
      const address = (name: string, value: string) =>
        clientAddressOf('192.0.2.9', new HeaderList([[name, value]]), trustedHops);
      assert.equal(address('X-Forwarded-For', chain), '1.1.1.1', chain);
      assert.equal(address('Forwarded', elements.join(', ')), '1.1.1.1', elements.join(', '));
    }
  }
});

test('what an untrusted client says is dropped', () => {
  const said: [string, string][] = [
    ['X-Forwarded-For', '6.6.6.6'],
    ['X-Forwarded-Proto', 'http'],
    ['X-Forwarded-Host', 'evil.example'],
    ['X-Forwarded-Port', '1'],
    ['Forwarded', 'for=6.6.6.6'],
    ['X-Real-IP', '6.6.6.6'],
    ['X-Forwarded-Prefix', '/evil'],
  ];
  assert.deepEqual(lines('Both', 0, said), [
    'X-Forwarded-For: 192.0.2.9',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: chat.example:8443',
    'X-Forwarded-Port: 8443',
    'Forwarded: for=192.0.2.9;host="chat.example:8443";proto=https',
  ]);
  const dropped = droppedForwardedFields({ emit: 'Both', trustedHops: 0 });
  for (const [name] of said) assert(dropped.has(name.toLowerCase()), name);
  const trusting = droppedForwardedFields({ emit: 'Both', trustedHops: 1 });
  assert(trusting.has('x-forwarded-for') && trusting.has('forwarded'));
  assert(!trusting.has('x-forwarded-prefix') && !trusting.has('x-real-ip'));
});

test('what a trusted proxy says is kept and added to', () => {
  assert.deepEqual(
    lines('XForwarded', 1, [
      ['X-Forwarded-For', '6.6.6.6, 1.1.1.1'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'public.example'],
    ]),
    [
      'X-Forwarded-For: 6.6.6.6, 1.1.1.1, 192.0.2.9',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: public.example',
      'X-Forwarded-Port: 443',
    ],
  );
  assert.deepEqual(lines('Forwarded', 1, [['Forwarded', 'for="[2001:db8::1]:47";proto=http']]), [
    'Forwarded: for="[2001:db8::1]:47";proto=http, for=192.0.2.9;host="chat.example:8443";proto=https',
  ]);
});

test('one kind of field is translated into the other', () => {
  assert.deepEqual(lines('Forwarded', 1, [['X-Forwarded-For', '1.1.1.1, 2001:db8::1, [2001:db8::2]:47']]), [
    'Forwarded: for=1.1.1.1, for="[2001:db8::1]", for="[2001:db8::2]:47", for=192.0.2.9;host="chat.example:8443";proto=https',
  ]);
  assert.equal(
    lines('XForwarded', 1, [['Forwarded', 'for="[2001:db8::1]", for=_x;by=1.2.3.4, proto=https']])[0],
    'X-Forwarded-For: [2001:db8::1], _x, unknown, 192.0.2.9',
  );
});

test('IPv6 is quoted, a plain host is not, none is left out', () => {
  assert.deepEqual(lines('Forwarded', 0, [], { peerAddress: '2001:db8::9', authority: 'chat.example' }), [
    'Forwarded: for="[2001:db8::9]";host=chat.example;proto=https',
  ]);
  assert.deepEqual(lines('Both', 0, [], { authority: '' }), [
    'X-Forwarded-For: 192.0.2.9',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Port: 8443',
    'Forwarded: for=192.0.2.9;proto=https',
  ]);
});

test('an element with an open quote does not swallow ours', () => {
  for (const hostile of ['for="1.1.1.1', 'for="a\\"', 'for=a";b="', 'for="a\\']) {
    const [line] = lines('Forwarded', 1, [['Forwarded', hostile]]);
    const list = line!.slice('Forwarded: '.length);
    assert(list.endsWith('for=192.0.2.9;host="chat.example:8443";proto=https'), list);
    const quotes = list.replaceAll(/\\./g, '').split('"').length - 1;
    assert.equal(quotes % 2, 0, list);
  }
});

test('whatever a client sends, the lines are lines', () => {
  const value = fc
    .array(fc.constantFrom(...'",;=\\[]:%. af1é\t'.split(''), 'for=', 'proto=', '1.2.3.4'), { maxLength: 12 })
    .map((parts) => parts.join('').trim());
  const name = fc.constantFrom('Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 4 }),
      fc.nat({ max: 3 }),
      (headers, trustedHops) => {
        const list = new HeaderList(headers);
        for (const line of lines('Both', trustedHops, headers)) {
          const colon = line.indexOf(': ');
          assert(colon > 0 && isFieldValue(line.slice(colon + 2)), line);
        }
        const address = clientAddressOf('192.0.2.9', list, trustedHops);
        assert.equal(canonicalAddress(address), address);
      },
    ),
    { numRuns: 2000 },
  );
});
