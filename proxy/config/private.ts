import { inspect } from 'node:util';

/**
 * Text that no printer shows: keys, passwords, signing secrets.
 *
 * `JSON.stringify`, template strings, `console.log` and `util.inspect` all give `[private]`.
 * The text itself is only had by calling {@link Private.reveal}, which makes every use easy to find.
 */
export class Private {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return '[private]';
  }

  toString(): string {
    return '[private]';
  }

  [inspect.custom](): string {
    return '[private]';
  }
}
