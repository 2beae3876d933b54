import assert from 'node:assert/strict';

/** Endpoints over all pools of one gateway. Memory is only touched where endpoints are. */
export const MAX_ENDPOINTS = 65_536;

const WORD_BYTES = 4;

/**
 * What all threads know of each endpoint, in shared memory: a row an endpoint, in it a column a worker with the
 * requests and connections that this worker has open there, and the endpoint's failures in a row.
 *
 * Each column has one writer, so that a crashed worker's share can be wiped without disturbing the others. A row
 * is adjacent words: summing it touches one or two cache lines.
 */
export class EndpointCounts {
  readonly buffer: SharedArrayBuffer;
  readonly columns: number;
  readonly #open: Int32Array;
  readonly #failures: Int32Array;
  /** One word: columns that were ever in use are below it, so that sums need not look at the others. */
  readonly #columnsUsed: Int32Array;

  constructor(buffer: SharedArrayBuffer, columns: number) {
    assert(buffer.byteLength === bytesFor(columns));
    this.buffer = buffer;
    this.columns = columns;
    this.#open = new Int32Array(buffer, 0, MAX_ENDPOINTS * columns);
    this.#failures = new Int32Array(buffer, MAX_ENDPOINTS * columns * WORD_BYTES, MAX_ENDPOINTS);
    this.#columnsUsed = new Int32Array(buffer, MAX_ENDPOINTS * (columns + 1) * WORD_BYTES, 1);
  }

  static create(columns: number): EndpointCounts {
    return new EndpointCounts(new SharedArrayBuffer(bytesFor(columns)), columns);
  }

  /** What all workers have open at an endpoint. */
  open(row: number): number {
    let sum = 0;
    const from = row * this.columns;
    const to = from + this.#columnsUsed[0]!;
    for (let i = from; i < to; i++) sum += this.#open[i]!;
    return sum;
  }

  /** To be called before a worker gets its column. */
  useColumn(column: number): void {
    if (column >= Atomics.load(this.#columnsUsed, 0)) Atomics.store(this.#columnsUsed, 0, column + 1);
  }

  /** @returns what the column has afterwards. */
  add(row: number, column: number, delta: 1 | -1): number {
    return Atomics.add(this.#open, row * this.columns + column, delta) + delta;
  }

  /** Wipes what a worker that is gone had open. */
  clearColumn(column: number, rows: number): void {
    for (let row = 0; row < rows; row++) Atomics.store(this.#open, row * this.columns + column, 0);
  }

  /** @returns failures without a success in between, this one included, over all workers. */
  addFailure(row: number): number {
    return Atomics.add(this.#failures, row, 1) + 1;
  }

  /** Called for every success: a plain read in the usual case, a write only after a failure. */
  clearFailures(row: number): void {
    if (this.#failures[row] !== 0) Atomics.store(this.#failures, row, 0);
  }

  /** Prepares a row for another endpoint. */
  clearRow(row: number): void {
    for (let column = 0; column < this.columns; column++) {
      Atomics.store(this.#open, row * this.columns + column, 0);
    }
    Atomics.store(this.#failures, row, 0);
  }
}

function bytesFor(columns: number): number {
  return (MAX_ENDPOINTS * (columns + 1) + 1) * WORD_BYTES;
}
