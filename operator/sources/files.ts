import { type FSWatcher, watch as watchFolder } from 'node:fs';
import { type FilesRead, type Folder, readFiles } from './read-files.ts';
import type { SourceState } from './source.ts';

export interface FileSourceOptions {
  /** How long it must be quiet before files are read again. */
  readonly debounceMs?: number;
  /** How long changes without a pause may put off the reading. */
  readonly maxDelayMs?: number;
  /** How often files are looked at although nothing was heard: no way of being told is without gaps. */
  readonly resyncMs?: number;
  /** The same where the system cannot tell of changes. */
  readonly pollMs?: number;
  /** Replaces `fs.watch` in tests. */
  readonly watch?: typeof watchFolder;
}

/**
 * Resources from files and folders. `load` reads them once; `watch` tells of each change after it has
 * settled, whether a file was written in place, replaced by renaming, or swapped by a symbolic link as in a
 * ConfigMap volume.
 */
export class FileSource {
  readonly #paths: readonly string[];
  readonly #debounceMs: number;
  readonly #maxDelayMs: number;
  readonly #resyncMs: number;
  readonly #pollMs: number;
  readonly #watch: typeof watchFolder;
  readonly #watchers = new Map<string, FSWatcher>();
  #folders: ReadonlyMap<string, Folder> = new Map();
  #listener: ((state: SourceState) => void) | null = null;
  #fingerprint: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** When the first change came that has not been told yet; `null` while all is quiet. */
  #changedAt: number | null = null;
  #reading = false;
  #polling = false;
  #closed = false;

  constructor(paths: readonly string[], options: FileSourceOptions = {}) {
    this.#paths = paths;
    this.#debounceMs = options.debounceMs ?? 100;
    this.#maxDelayMs = options.maxDelayMs ?? 2_000;
    this.#resyncMs = options.resyncMs ?? 15_000;
    this.#pollMs = options.pollMs ?? 1_000;
    this.#watch = options.watch ?? watchFolder;
  }

  /** Whether the files are looked at from time to time, since the system cannot tell of changes. */
  get polling(): boolean {
    return this.#polling;
  }

  /** Reads everything once. Problems are in the state; it rejects for our own bugs only. */
  async load(): Promise<SourceState> {
    const read = await readFiles(this.#paths);
    this.#fingerprint = read.fingerprint;
    return read.state;
  }

  /**
   * Calls the listener with each state that differs from the last one, `load`'s included, until `close`.
   * States come one at a time and in order.
   */
  watch(listener: (state: SourceState) => void): void {
    if (this.#listener !== null) throw new Error('this source is being watched already');
    this.#listener = listener;
    // What changed since `load` would otherwise go unnoticed.
    this.#changed();
  }

  /** Stops watching. The listener is not called again. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#closeWatchers();
  }

  #changed(): void {
    this.#changedAt ??= performance.now();
    this.#schedule(Math.min(this.#debounceMs, this.#remainingMs()));
  }

  #remainingMs(): number {
    if (this.#changedAt === null) return this.#maxDelayMs;
    return Math.max(0, this.#changedAt + this.#maxDelayMs - performance.now());
  }

  #schedule(delayMs: number): void {
    if (this.#closed || this.#reading) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), delayMs);
  }

  async #check(): Promise<void> {
    const changedAt = this.#changedAt;
    this.#changedAt = null;
    this.#reading = true;
    let read: FilesRead;
    try {
      read = await readFiles(this.#paths);
    } finally {
      this.#reading = false;
    }
    if (this.#closed) return;
    const moreToWatch = this.#watchFolders(read.folders);
    // A change while reading belongs to the same edit, and so does one before a new folder was watched.
    const unsettled = this.#changedAt !== null || !read.settled || moreToWatch;
    if (unsettled) {
      this.#changedAt = changedAt ?? this.#changedAt ?? performance.now();
      if (this.#remainingMs() > 0) {
        this.#changed();
        return;
      }
      // It has been put off for long enough: tell of what is there, and begin anew.
      this.#changedAt = null;
      this.#tell(read);
      this.#changed();
      return;
    }
    this.#tell(read);
    this.#schedule(this.#polling ? this.#pollMs : this.#resyncMs);
  }

  #tell({ fingerprint, state }: FilesRead): void {
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.#listener?.(state);
  }

  /** Watches just these folders. Returns whether one is new, so that something may have been missed in it. */
  #watchFolders(folders: ReadonlyMap<string, Folder>): boolean {
    const before = this.#folders;
    this.#folders = folders;
    for (const [folder, watcher] of this.#watchers) {
      if (folders.get(folder)?.identity === before.get(folder)?.identity) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    if (this.#polling) return false;
    let isNew = false;
    for (const folder of folders.keys()) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = this.#watch(folder, (_event, entry) => this.#heard(folder, entry));
        watcher.on('error', () => this.#poll());
        this.#watchers.set(folder, watcher);
        isNew = true;
      } catch {
        // No more watches to be had, or a file system without any.
        this.#poll();
        return false;
      }
    }
    return isNew;
  }

  #heard(folder: string, entry: string | null): void {
    const entries = this.#folders.get(folder)?.entries ?? null;
    if (entries === null || entry === null || entries.has(entry)) this.#changed();
  }

  #poll(): void {
    if (this.#closed) return;
    this.#polling = true;
    this.#closeWatchers();
    this.#changed();
  }

  #closeWatchers(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}
