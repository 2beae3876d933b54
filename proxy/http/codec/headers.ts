import assert from 'node:assert/strict';
import { consistsOf, FIELD_VALUE, TOKEN } from './characters.ts';

/**
 * The header fields of a message, whatever HTTP version carried it. Reading decodes lazily, so ask for what is needed.
 * Values are as received (latin1, surrounding white space removed). A string taken from here may keep the whole head
 * alive in memory: copy what outlives the exchange.
 */
export interface HeaderView {
  /** Number of field lines. */
  readonly fieldCount: number;
  /** @param name lower case */
  has(name: string): boolean;
  /**
   * The value of a field; several field lines joined with `, ` in order (RFC 9110 §5.3), `cookie` with `; `
   * (RFC 9113 §8.2.3). `set-cookie` cannot be joined: the first one; use `values`.
   * @param name lower case
   */
  get(name: string): string | undefined;
  /** One value per field line, in order; empty when there is none. @param name lower case */
  values(name: string): string[];
  /** The name of the field line `index` (0 to `fieldCount` - 1), as received: any case. */
  nameAt(index: number): string;
  valueAt(index: number): string;
  /** All field lines in order: [name as received, value]. */
  entries(): IterableIterator<[name: string, value: string]>;
}

/** How several field lines of one name become one value. */
export function joinValues(name: string, values: readonly string[]): string | undefined {
  if (values.length < 2 || name === 'set-cookie') return values[0];
  return values.join(name === 'cookie' ? '; ' : ', ');
}

/** Whether a name may be written as a field name. */
export function isFieldName(name: string): boolean {
  return consistsOf(TOKEN, name);
}

/** Whether a value may be written into a head: no CR, LF, NUL or other control character, nothing beyond latin1. */
export function isFieldValue(value: string): boolean {
  return value === '' || consistsOf(FIELD_VALUE, value);
}

/** One field line with its CRLF. A name or value that could end the line early is our bug, and asserted. */
export function fieldLine(name: string, value: string): string {
  assert(isFieldName(name), 'invalid field name');
  assert(isFieldValue(value), 'invalid character in a field value');
  return `${name}: ${value}\r\n`;
}

/** A list of field lines that can be built and changed; for messages that we originate, trailers and tests. */
export class HeaderList implements HeaderView {
  readonly #names: string[] = [];
  readonly #lower: string[] = [];
  readonly #values: string[] = [];

  constructor(entries: Iterable<readonly [name: string, value: string]> = []) {
    for (const [name, value] of entries) this.append(name, value);
  }

  get fieldCount(): number {
    return this.#names.length;
  }

  append(name: string, value: string): this {
    assert(isFieldName(name), 'invalid field name');
    assert(isFieldValue(value), 'invalid character in a field value');
    this.#names.push(name);
    this.#lower.push(name.toLowerCase());
    this.#values.push(value);
    return this;
  }

  /** Replaces every field line of that name by one. */
  set(name: string, value: string): this {
    return this.remove(name).append(name, value);
  }

  remove(name: string): this {
    const lower = name.toLowerCase();
    for (let i = this.#lower.length - 1; i >= 0; i--) {
      if (this.#lower[i] !== lower) continue;
      this.#names.splice(i, 1);
      this.#lower.splice(i, 1);
      this.#values.splice(i, 1);
    }
    return this;
  }

  has(name: string): boolean {
    return this.#lower.includes(name);
  }

  get(name: string): string | undefined {
    return joinValues(name, this.values(name));
  }

  values(name: string): string[] {
    return this.#values.filter((_, i) => this.#lower[i] === name);
  }

  nameAt(index: number): string {
    const name = this.#names[index];
    assert(name !== undefined, 'field index out of range');
    return name;
  }

  valueAt(index: number): string {
    const value = this.#values[index];
    assert(value !== undefined, 'field index out of range');
    return value;
  }

  *entries(): IterableIterator<[string, string]> {
    for (let i = 0; i < this.#names.length; i++) yield [this.nameAt(i), this.valueAt(i)];
  }

  /** All field lines as they go on the wire, each with its CRLF. */
  toLines(): string {
    let lines = '';
    for (let i = 0; i < this.#names.length; i++) lines += `${this.#names[i]}: ${this.#values[i]}\r\n`;
    return lines;
  }
}
