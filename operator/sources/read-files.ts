/** One pass over the files and folders that a user named. */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Diagnostic, loadResources, type Resource } from '../resources/index.ts';
import type { SourceState } from './source.ts';

const MAX_FILES = 10_000;
const MAX_FOLDER_DEPTH = 32;
const MAX_FILE_BYTES = 32 * 1024 * 1024;

export interface FilesRead {
  readonly state: SourceState;
  /** Equal when the same files hold the same bytes. */
  readonly fingerprint: string;
  /** Whether nothing changed while the files were read. */
  readonly settled: boolean;
  /** Folders in which a change matters. */
  readonly folders: ReadonlyMap<string, Folder>;
}

export interface Folder {
  /** Tells the folder from another one that takes its place. */
  readonly identity: string;
  /** The entries that matter; `null` is every entry. */
  readonly entries: ReadonlySet<string> | null;
}

interface Found {
  readonly name: string;
  readonly identity: string;
}

/**
 * Reads files, and the `*.yaml` and `*.yml` of folders and the folders in them, sorted by name. What begins
 * with a dot is skipped, so that the hidden folders behind a ConfigMap volume are not read twice. A file that
 * is reached by several ways counts once.
 */
export async function readFiles(paths: readonly string[]): Promise<FilesRead> {
  return new Pass().run(paths);
}

class Pass {
  readonly #diagnostics: Diagnostic[] = [];
  readonly #files = new Map<string, Found>();
  readonly #folders = new Map<string, Folder>();
  readonly #visited = new Set<string>();
  #complete = true;

  async run(paths: readonly string[]): Promise<FilesRead> {
    for (const path of paths) await this.#find(path);
    const resources: Resource[] = [];
    const hash = createHash('sha256');
    for (const { name } of this.#files.values()) {
      const text = await this.#read(name);
      hash.update(`${JSON.stringify(name)}\n`);
      if (text === null) continue;
      hash.update(`${Buffer.byteLength(text)}\n${text}`);
      const loaded = loadResources(text, name);
      resources.push(...loaded.resources);
      this.#diagnostics.push(...loaded.diagnostics);
      if (loaded.diagnostics.some(({ severity }) => severity === 'error')) this.#complete = false;
    }
    hash.update(JSON.stringify(this.#diagnostics));
    const settled = await this.#isSettled();
    return {
      state: { resources, diagnostics: this.#diagnostics, complete: this.#complete },
      fingerprint: hash.digest('hex'),
      settled,
      folders: this.#folders,
    };
  }

  /** A file or folder that the user named. */
  async #find(path: string): Promise<void> {
    // The folder above shows when what was named is replaced as a whole.
    await this.#remember(dirname(path), basename(path));
    const found = await attempt(() => stat(path, { bigint: true }));
    if ('error' in found) {
      this.#unreadable(path, found.error, 'a file or folder that can be read');
      return;
    }
    if (!found.value.isDirectory()) {
      await this.#addFile(path, found.value);
      return;
    }
    const before = this.#files.size;
    const problems = this.#diagnostics.length;
    await this.#walk(path, 0);
    if (this.#files.size === before && this.#diagnostics.length === problems && !this.#overlaps(path)) {
      this.#report(
        path,
        'UnreadableFile',
        'a folder without such files',
        'a folder with *.yaml or *.yml files',
      );
    }
  }

  async #walk(folder: string, depth: number): Promise<void> {
    if (depth > MAX_FOLDER_DEPTH) {
      this.#report(folder, 'TooLarge', 'more', `at most ${MAX_FOLDER_DEPTH} folders within each other`);
      return;
    }
    const identity = await this.#remember(folder, null);
    // Symbolic links may lead in circles.
    if (identity === null || this.#visited.has(identity)) return;
    this.#visited.add(identity);
    const entries = await attempt(() => readdir(folder));
    if ('error' in entries) {
      this.#unreadable(folder, entries.error, 'a folder that can be read');
      return;
    }
    for (const entry of entries.value.sort()) {
      if (entry.startsWith('.')) continue;
      const path = join(folder, entry);
      const isYaml = entry.endsWith('.yaml') || entry.endsWith('.yml');
      const found = await attempt(() => stat(path, { bigint: true }));
      if ('error' in found) {
        // A dangling link of another name is none of our business.
        if (isYaml) this.#unreadable(path, found.error, 'a file that can be read');
      } else if (found.value.isDirectory()) {
        await this.#walk(path, depth + 1);
      } else if (isYaml) {
        await this.#addFile(path, found.value);
      }
    }
  }

  async #addFile(name: string, stats: BigIntStats): Promise<void> {
    const real = await attempt(() => realpath(name));
    if ('error' in real) {
      this.#unreadable(name, real.error, 'a file that can be read');
      return;
    }
    // Any link on the way may be the one that changes.
    const isLink = real.value !== resolve(name);
    await this.#remember(dirname(name), isLink ? null : basename(name));
    if (isLink) await this.#remember(dirname(real.value), basename(real.value));
    if (this.#files.has(real.value)) return;
    if (this.#files.size >= MAX_FILES) {
      this.#report(name, 'TooLarge', 'more', `at most ${MAX_FILES} files`);
    } else if (!stats.isFile()) {
      this.#report(name, 'UnreadableFile', 'a pipe or device', 'a file or folder');
    } else if (stats.size > MAX_FILE_BYTES) {
      this.#report(name, 'TooLarge', `${stats.size} bytes`, `at most ${MAX_FILE_BYTES} bytes`);
    } else {
      this.#files.set(real.value, { name, identity: identityOf(stats) });
    }
  }

  async #read(name: string): Promise<string | null> {
    const bytes = await attempt(() => readFile(name));
    if ('error' in bytes) {
      this.#unreadable(name, bytes.error, 'a file that can be read');
      return null;
    }
    if (bytes.value.length === 0) {
      // Editors and shells truncate a file before they write it: its objects are not gone.
      const found = 'an empty file, as when it is being written';
      this.#report(name, 'UnreadableFile', found, 'objects, or at least a comment');
      return null;
    }
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes.value);
    } catch {
      this.#report(name, 'InvalidSyntax', 'bytes that are not UTF-8', 'text as UTF-8');
      return null;
    }
  }

  /** Notes a folder, or one entry of it, as worth watching. Returns its identity. */
  async #remember(folder: string, entry: string | null): Promise<string | null> {
    const found = await attempt(() => stat(folder, { bigint: true }));
    if ('error' in found || !found.value.isDirectory()) return null;
    const identity = `${found.value.dev}:${found.value.ino}`;
    const known = this.#folders.get(folder);
    const entries =
      entry === null || known?.entries === null ? null : new Set([...(known?.entries ?? []), entry]);
    this.#folders.set(folder, { identity, entries });
    return identity;
  }

  async #isSettled(): Promise<boolean> {
    for (const { name, identity } of this.#files.values()) {
      const now = await attempt(() => stat(name, { bigint: true }));
      if ('error' in now || identityOf(now.value) !== identity) return false;
    }
    return true;
  }

  #overlaps(folder: string): boolean {
    return [...this.#files.values()].some(({ name }) => name.startsWith(join(folder, '/')));
  }

  #unreadable(file: string, error: NodeJS.ErrnoException, expected: string): void {
    this.#report(file, 'UnreadableFile', describeError(error), expected);
  }

  #report(file: string, code: string, found: string, expected: string): void {
    this.#complete = false;
    const message = `found ${found}, expected ${expected}`;
    const place = { object: '', file, line: 1, column: 1, field: '' };
    this.#diagnostics.push({ severity: 'error', code, ...place, found, expected, message });
  }
}

/** What changes whenever a file is written or replaced. */
function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

function describeError({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'nothing of that name';
    case 'EACCES':
    case 'EPERM':
      return 'no permission to read it';
    case 'ELOOP':
      return 'symbolic links that lead in a circle';
    default:
      return code ?? message;
  }
}

async function attempt<T>(
  action: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly error: NodeJS.ErrnoException }> {
  try {
    return { value: await action() };
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { error: error as NodeJS.ErrnoException };
    throw error;
  }
}
