/**
 * A bounded map whose entries end at a time. Two generations approximate least-recently-used: what is read moves to
 * the young one, which becomes the old one when it is full. A hit on a young entry is one look-up and no write.
 */
export class ResultCache<Value> {
  #young = new Map<string, Entry<Value>>();
  #old = new Map<string, Entry<Value>>();
  readonly #half: number;

  constructor(maxEntries: number) {
    this.#half = Math.max(1, Math.floor(maxEntries / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string, nowMs: number): Value | undefined {
    let entry = this.#young.get(key);
    if (entry === undefined) {
      entry = this.#old.get(key);
      if (entry === undefined) return undefined;
      this.#old.delete(key);
      if (nowMs < entry.untilMs) this.#insert(key, entry);
    }
    if (nowMs < entry.untilMs) return entry.value;
    this.#young.delete(key);
    return undefined;
  }

  set(key: string, value: Value, untilMs: number): void {
    this.#old.delete(key);
    this.#insert(key, { value, untilMs });
  }

  #insert(key: string, entry: Entry<Value>): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, entry);
  }
}

interface Entry<Value> {
  readonly value: Value;
  readonly untilMs: number;
}
