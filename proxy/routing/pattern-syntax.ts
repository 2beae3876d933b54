/** Reads the RE2 syntax of a pattern into a tree. Text is UTF-16 code units; letters fold case in ASCII only. */

/** Inclusive ranges of code units, ascending, neither overlapping nor touching. */
export type CharacterSet = readonly (readonly [from: number, to: number])[];

export type PatternNode =
  | { readonly kind: 'empty' | 'start' | 'end' }
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number };

/** The author's mistake, in words. */
export class PatternError extends Error {}

const MAX_REPEAT = 1000;
const MAX_DEPTH = 100;
const LAST = 0xffff;

const DIGITS: CharacterSet = [[0x30, 0x39]];
const WORD: CharacterSet = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACES: CharacterSet = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
];
const UPPER: CharacterSet = [[0x41, 0x5a]];
const LOWER: CharacterSet = [[0x61, 0x7a]];

const PERL_CLASSES: Readonly<Record<string, CharacterSet>> = { d: DIGITS, w: WORD, s: SPACES };

const POSIX_CLASSES: Readonly<Record<string, CharacterSet>> = {
  alnum: union([DIGITS, UPPER, LOWER]),
  alpha: union([UPPER, LOWER]),
  ascii: [[0, 0x7f]],
  blank: union([[[0x09, 0x09]], [[0x20, 0x20]]]),
  cntrl: union([[[0, 0x1f]], [[0x7f, 0x7f]]]),
  digit: DIGITS,
  graph: [[0x21, 0x7e]],
  lower: LOWER,
  print: [[0x20, 0x7e]],
  punct: union([[[0x21, 0x2f]], [[0x3a, 0x40]], [[0x5b, 0x60]], [[0x7b, 0x7e]]]),
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  upper: UPPER,
  word: WORD,
  xdigit: union([DIGITS, [[0x41, 0x46]], [[0x61, 0x66]]]),
};

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

export function parsePattern(text: string): PatternNode {
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #foldCase = false;
  #dotAll = false;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#text.length) this.#fail('an unopened )');
    return node;
  }

  #fail(found: string, expected = ''): never {
    throw new PatternError(
      `found ${found} at position ${this.#at + 1}${expected === '' ? '' : `, expected ${expected}`}`,
    );
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #choice(): PatternNode {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = [];
    for (;;) {
      const next = this.#peek();
      if (next === '' || next === '|' || next === ')') break;
      parts.push(this.#repeats(this.#atom()));
    }
    if (parts.length === 1) return parts[0]!;
    return parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts };
  }

  #repeats(part: PatternNode): PatternNode {
    const bounds = this.#quantifier();
    if (bounds === null) return part;
    this.#take('?'); // Lazy or greedy, the whole text matches or it does not.
    if (this.#quantifier() !== null)
      this.#fail('a quantifier after a quantifier', 'a group around the first');
    return { kind: 'repeat', part, min: bounds[0], max: bounds[1] };
  }

  #quantifier(): [min: number, max: number] | null {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    if (this.#peek() !== '{') return null;
    const end = this.#text.indexOf('}', this.#at);
    const inner = end === -1 ? '' : this.#text.slice(this.#at + 1, end);
    const found = /^(\d+)(?:(,)(\d*))?$/.exec(inner);
    if (found === null) return null; // A brace that is no quantifier stands for itself.
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === '' ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY)) {
      this.#fail(`{${inner}}`, `a repetition of at most ${MAX_REPEAT}`);
    }
    if (max < min) this.#fail(`{${inner}}`, 'a maximum that is not below the minimum');
    this.#at = end + 1;
    return [min, max];
  }

  #atom(): PatternNode {
    const character = this.#peek();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'set', set: this.#characterClass() };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        return this.#fail(`a quantifier (${character}) with nothing to repeat`);
    }
    this.#at++;
    if (character === '^') return { kind: 'start' };
    if (character === '$') return { kind: 'end' };
    if (character === '.') return { kind: 'set', set: this.#dotAll ? [[0, LAST]] : invert([[0x0a, 0x0a]]) };
    return this.#literal(character.charCodeAt(0));
  }

  #literal(code: number): PatternNode {
    return { kind: 'set', set: this.#fold([[code, code]]) };
  }

  #group(): PatternNode {
    if (++this.#depth > MAX_DEPTH) this.#fail('groups nested too deeply', `at most ${MAX_DEPTH} levels`);
    const [foldCase, dotAll] = [this.#foldCase, this.#dotAll];
    this.#at++;
    if (this.#take('?')) {
      for (const look of ['=', '!', '<=', '<!']) {
        if (this.#text.startsWith(look, this.#at)) this.#fail(`(?${look}`, 'no lookaround: RE2 has none');
      }
      if (this.#take('P<') || this.#take('<')) {
        const end = this.#text.indexOf('>', this.#at);
        if (end === -1 || !/^\w+$/.test(this.#text.slice(this.#at, end)))
          this.#fail('a group without a name');
        this.#at = end + 1;
      } else if (this.#flags()) {
        // Flags without a colon hold to the end of the group around them.
        this.#depth--;
        return { kind: 'empty' };
      }
    }
    const node = this.#choice();
    if (!this.#take(')')) this.#fail('the end of the pattern', 'a ) for each (');
    [this.#foldCase, this.#dotAll] = [foldCase, dotAll];
    this.#depth--;
    return node;
  }

  /** Reads `flags)` (true) or `flags:` (false). */
  #flags(): boolean {
    let value = true;
    for (;;) {
      const flag = this.#peek();
      if (flag === ':' || flag === ')') {
        this.#at++;
        return flag === ')';
      }
      if (flag === '-' && value) value = false;
      else if (flag === 'i') this.#foldCase = value;
      else if (flag === 's') this.#dotAll = value;
      else if (flag === 'm' && value) this.#fail('the flag m', 'i or s: no line ends in what is matched');
      else if (flag !== 'U' && flag !== 'm')
        this.#fail(`(?${flag}`, 'a group (?:...) or one of the flags i and s');
      this.#at++;
    }
  }

  #escape(): PatternNode {
    if (this.#take('\\A')) return { kind: 'start' };
    if (this.#take('\\z')) return { kind: 'end' };
    if (this.#take('\\Q')) {
      const end = this.#text.indexOf('\\E', this.#at);
      const quoted = this.#text.slice(this.#at, end === -1 ? undefined : end);
      this.#at = end === -1 ? this.#text.length : end + 2;
      return { kind: 'sequence', parts: [...quoted].map((letter) => this.#literal(this.#codeUnit(letter))) };
    }
    const set = this.#classEscape();
    if (set !== null) return { kind: 'set', set };
    return this.#literal(this.#characterEscape());
  }

  #codeUnit(letter: string): number {
    if (letter.length > 1) this.#fail(`the character ${letter}`, 'characters up to U+FFFF');
    return letter.charCodeAt(0);
  }

  /** `\d`, `\W` and so on; `null` where the escape is of one character. */
  #classEscape(): CharacterSet | null {
    const letter = this.#text[this.#at + 1] ?? '';
    const set = PERL_CLASSES[letter.toLowerCase()];
    if (set === undefined || !Object.hasOwn(PERL_CLASSES, letter.toLowerCase())) return null;
    this.#at += 2;
    return letter === letter.toLowerCase() ? set : invert(set);
  }

  #characterEscape(): number {
    const letter = this.#text[this.#at + 1] ?? '';
    if (letter === '') this.#fail('a \\ at the end', 'a character after it');
    if (letter >= '1' && letter <= '9') this.#fail(`\\${letter}`, 'no backreference: RE2 has none');
    if (letter === 'p' || letter === 'P') this.#fail(`\\${letter}`, 'no Unicode class');
    if (letter === 'b' || letter === 'B') this.#fail(`\\${letter}`, 'no word boundary');
    if (letter === 'x') {
      const found = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,4})\})/.exec(
        this.#text.slice(this.#at + 2, this.#at + 8),
      );
      if (found === null) this.#fail('\\x', 'two hexadecimal digits, or up to four in braces');
      this.#at += 2 + found[0].length;
      return Number.parseInt(found[1] ?? found[2]!, 16);
    }
    if (Object.hasOwn(CONTROL_ESCAPES, letter)) {
      this.#at += 2;
      return CONTROL_ESCAPES[letter]!;
    }
    if (/[0-9A-Za-z]/.test(letter)) this.#fail(`\\${letter}`, 'an escape of RE2');
    this.#at += 2;
    return letter.charCodeAt(0);
  }

  #characterClass(): CharacterSet {
    this.#at++;
    const inverted = this.#take('^');
    const sets: CharacterSet[] = [];
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.#peek() === '') this.#fail('the end of the pattern', 'a ] for each [');
      sets.push(this.#classMember());
    }
    this.#at++;
    const set = this.#fold(union(sets));
    return inverted ? invert(set) : set;
  }

  #classMember(): CharacterSet {
    if (this.#take('[:')) {
      const end = this.#text.indexOf(':]', this.#at);
      const name = end === -1 ? '' : this.#text.slice(this.#at, end);
      const bare = name.startsWith('^') ? name.slice(1) : name;
      if (!Object.hasOwn(POSIX_CLASSES, bare)) this.#fail(`[:${name}`, 'a POSIX class such as [:alpha:]');
      this.#at = end + 2;
      return bare === name ? POSIX_CLASSES[bare]! : invert(POSIX_CLASSES[bare]!);
    }
    if (this.#peek() === '\\') {
      const set = this.#classEscape();
      if (set !== null) return set;
    }
    const from = this.#classCharacter();
    if (this.#peek() !== '-' || (this.#text[this.#at + 1] ?? ']') === ']') return [[from, from]];
    this.#at++;
    const to = this.#classCharacter();
    if (to < from) this.#fail('a range whose end is before its beginning');
    return [[from, to]];
  }

  #classCharacter(): number {
    if (this.#peek() === '\\') return this.#characterEscape();
    const code = this.#text.charCodeAt(this.#at);
    if (code >= 0xd800 && code <= 0xdfff) this.#fail('a surrogate in a class', 'characters up to U+FFFF');
    this.#at++;
    return code;
  }

  #fold(set: CharacterSet): CharacterSet {
    if (!this.#foldCase) return set;
    const folded: (readonly [number, number])[] = [...set];
    for (const [from, to] of set) {
      const [upperFrom, upperTo] = [Math.max(from, 0x41), Math.min(to, 0x5a)];
      if (upperFrom <= upperTo) folded.push([upperFrom + 32, upperTo + 32]);
      const [lowerFrom, lowerTo] = [Math.max(from, 0x61), Math.min(to, 0x7a)];
      if (lowerFrom <= lowerTo) folded.push([lowerFrom - 32, lowerTo - 32]);
    }
    return union([folded]);
  }
}

function union(sets: readonly CharacterSet[]): CharacterSet {
  const sorted = sets.flat().sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

function invert(set: CharacterSet): CharacterSet {
  const inverted: [number, number][] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) inverted.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= LAST) inverted.push([next, LAST]);
  return inverted;
}
