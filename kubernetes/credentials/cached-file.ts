import { readFile } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import { CredentialsError } from '../errors.ts';

/** Files that are replaced while we run (tokens, certificates) are looked at again after this long. */
const FRESH_MS = 10_000;

/** The text of a file that somebody else replaces now and then. */
export class CachedFile {
  readonly #path: string;
  readonly #what: string;
  readonly #clock: Clock;
  #cached: { readonly text: string; readonly readAtMs: number } | null = null;

  /** @param what for errors, such as `the service account's token` */
  constructor(path: string, what: string, clock: Clock) {
    this.#path = path;
    this.#what = what;
    this.#clock = clock;
  }

  /** @throws CredentialsError */
  async text(): Promise<string> {
    const cached = this.#cached;
    if (cached !== null && this.#clock.now() - cached.readAtMs < FRESH_MS) return cached.text;
    const readAtMs = this.#clock.now();
    let text: string;
    try {
      text = (await readFile(this.#path, 'utf8')).trim();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      const words = code === 'ENOENT' ? 'there is no such file' : code;
      throw new CredentialsError(`${this.#what}, ${this.#path}: ${words}`, { cause: error });
    }
    if (text === '') throw new CredentialsError(`${this.#what}, ${this.#path}: the file is empty`);
    this.#cached = { text, readAtMs };
    return text;
  }

  invalidate(): void {
    this.#cached = null;
  }
}
