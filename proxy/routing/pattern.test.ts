import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compilePattern, MAX_PATTERN_LENGTH, type Pattern } from './pattern.ts';

function pattern(text: string): Pattern {
  const compiled = compilePattern(text);
  assert(compiled.ok, compiled.ok ? '' : compiled.reason);
  return compiled.pattern;
}

test('the whole text must match', () => {
  const cases: [pattern: string, matching: string[], other: string[]][] = [
    ['', [''], ['a']],
    ['/a', ['/a'], ['/ab', 'x/a', '/', '']],
    ['^/a$', ['/a'], ['/ab']],
    ['/a|/b', ['/a', '/b'], ['/a/b', '/ab']],
    ['/v[0-9]+/.*', ['/v1/', '/v12/x/y'], ['/v/', '/vx/', '/v1']],
    ['/(a|b){2,3}', ['/ab', '/bab'], ['/a', '/abab']],
    ['a{2}', ['aa'], ['a', 'aaa']],
    ['a{2,}', ['aa', 'aaaaa'], ['a']],
    ['a{,2}', ['a{,2}'], ['a', 'aa']],
    ['x{', ['x{'], ['x']],
    ['(?i)/AbC[d-f]', ['/abcD', '/ABCf'], ['/abcg']],
    ['a(?i:b)c', ['abc', 'aBc'], ['abC', 'Abc']],
    ['(?i)a(?-i)b', ['Ab', 'ab'], ['AB']],
    ['(?P<name>a)(?<other>b)', ['ab'], ['a']],
    ['a.c', ['abc', 'a/c'], ['a\nc', 'ac']],
    ['(?s)a.c', ['a\nc'], ['ac']],
    ['\\d\\w\\s\\D\\W\\S', ['1a a b', '1_\tx-x'], ['aa a b']],
    ['[^a-c]', ['d', 'é'], ['a', 'c', '']],
    ['[]a]', [']', 'a'], ['b']],
    ['[^]a]', ['b'], [']', 'a']],
    ['[a\\-c]', ['a', '-', 'c'], ['b']],
    ['[a-]', ['a', '-'], ['b']],
    ['[\\d_]+', ['12_'], ['a']],
    ['[[:alpha:]]+[[:^digit:]]', ['abc', 'ab-'], ['ab1']],
    ['\\Qa.b\\E+', ['a.b'], ['axb']],
    ['\\x41\\x{42}\\.', ['AB.'], ['ABx']],
    ['\\Aa\\z', ['a'], ['ab']],
    ['a*?b+?', ['b', 'aabb'], ['a']],
    ['(a*)*b', ['b', 'aaab'], ['a']],
    ['a^b', [], ['ab', 'a^b']],
    ['a$b', [], ['ab', 'a$b']],
    ['(^a|b)+', ['a', 'b', 'ab', 'abb'], ['ba', '']],
    ['(^$)?', [''], ['a']],
  ];
  for (const [text, matching, other] of cases) {
    const compiled = pattern(text);
    for (const sample of matching)
      assert(compiled.matches(sample), `${text} matches ${JSON.stringify(sample)}`);
    for (const sample of other)
      assert(!compiled.matches(sample), `${text} does not match ${JSON.stringify(sample)}`);
  }
});

test('what is refused is refused in words', () => {
  const cases = [
    ['(a)\\1', /found \\1 at position 4, expected no backreference/],
    ['a(?=b)', /lookaround/],
    ['a(?!b)', /lookaround/],
    ['(?<=a)b', /lookaround/],
    ['(?<!a)b', /lookaround/],
    ['(?>a)', /found \(\?>/],
    ['(a', /expected a \) for each \(/],
    ['a)', /found an unopened \)/],
    ['[a', /expected a \] for each \[/],
    ['*a', /nothing to repeat/],
    ['a**', /a quantifier after a quantifier/],
    ['a*+', /a quantifier after a quantifier/],
    ['a{1001}', /at most 1000/],
    ['a{3,2}', /a maximum that is not below the minimum/],
    ['((a{100}){100})', /too large/],
    ['\\', /a \\ at the end/],
    ['\\pL', /no Unicode class/],
    ['\\bx', /no word boundary/],
    ['\\y', /an escape of RE2/],
    ['[b-a]', /a range whose end is before its beginning/],
    ['[[:letters:]]', /a POSIX class/],
    ['(?m)a', /the flag m/],
    ['(?<a b>c)', /a group without a name/],
    ['a'.repeat(MAX_PATTERN_LENGTH + 1), /at most 1024/],
    ['('.repeat(200), /nested too deeply/],
  ] as const;
  for (const [text, reason] of cases) {
    const compiled = compilePattern(text);
    assert(!compiled.ok, text);
    assert.match(compiled.reason, reason);
  }
});

test('patterns that defeat a backtracking matcher run in one pass', () => {
  const subject = `${'a'.repeat(60_000)}!`;
  // Each of these takes a backtracking matcher longer than anyone waits.
  for (const text of ['(a+)+', '(a|a)*', '(a|aa)+', '.*a.*a.*a.*a.*b', '(.*)*x', 'a*a*a*a*a*a*b']) {
    assert(!pattern(text).matches(subject), text);
  }
  // More deterministic states than are kept: 2^16 without a bound.
  const text = '(a|b)*a(a|b){16}';
  let state = 1;
  const letters = Array.from({ length: 20_000 }, () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return state & 0x10000 ? 'a' : 'b';
  });
  letters[letters.length - 17] = 'a';
  assert(pattern(text).matches(letters.join('')));
  letters[letters.length - 17] = 'b';
  assert(!pattern(text).matches(letters.join('')));
});

test('agrees with JavaScript where both speak the same syntax', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '(?:a|b)', '(?:ab|)', '^', '$');
  const tree = fc.letrec<{ node: string; group: string }>((tie) => ({
    node: fc.array(fc.oneof(atom, tie('group')), { maxLength: 4 }).map((parts) => parts.join('')),
    group: fc
      .tuple(tie('node'), tie('node'), fc.constantFrom('', '*', '+', '?', '{2}', '{1,3}', '{0,}'))
      .map(([left, right, quantifier]) => `(?:${left}|${right})${quantifier}`),
  })).node;
  const subject = fc
    .array(fc.constantFrom('a', 'b', '1', '\n'), { maxLength: 8 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(tree, fc.array(subject, { minLength: 1, maxLength: 10 }), (text, subjects) => {
      const compiled = compilePattern(text);
      if (!compiled.ok) return; // Too large.
      const expected = new RegExp(`^(?:${text})$`);
      for (const one of subjects) {
        assert.equal(compiled.pattern.matches(one), expected.test(one), `${text} on ${JSON.stringify(one)}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test('no text is a crash', () => {
  const piece = fc.constantFrom(
    ...'()[]{}*+?|^$.\\abdwsxpQEPAz<>:=!-,123'.split(''),
    '(?i',
    '[:alpha:]',
    '😀',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.string(), (pieces, subject) => {
      const compiled = compilePattern(pieces.join(''));
      if (compiled.ok) compiled.pattern.matches(subject);
    }),
    { numRuns: 5000 },
  );
});
