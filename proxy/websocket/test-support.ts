/** Splices under test: real sockets, a clock that is moved by hand, and frames. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { socketPair } from '../../test/support/sockets.ts';
import type { Clock } from '../http/clock.ts';
import { FrameReader } from './frames.ts';
import type { Splice, SpliceOptions, SpliceSettings } from './splice.ts';
import { Splicer } from './splicer.ts';

export const OFF: SpliceSettings = {
  pingIntervalMs: 0,
  pongTimeoutMs: 100,
  idleTimeoutMs: 0,
  halfCloseTimeoutMs: 1000,
};

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #nowMs = 1000;
  readonly #ticks = new Set<(nowMs: number) => void>();

  now(): number {
    return this.#nowMs;
  }

  everyTick(callback: (nowMs: number) => void): () => void {
    this.#ticks.add(callback);
    return () => this.#ticks.delete(callback);
  }

  after(): () => void {
    throw new Error('not used');
  }

  get ticking(): boolean {
    return this.#ticks.size > 0;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const callback of this.#ticks) callback(this.#nowMs);
  }
}

export interface Setup {
  readonly client: Socket;
  readonly backend: Socket;
  readonly splice: Splice;
  readonly splicer: Splicer;
  readonly clock: ManualClock;
  readonly closed: Promise<void>;
  readonly closeCalls: () => number;
}

export async function setUp(t: TestContext, options: Partial<SpliceOptions> = {}): Promise<Setup> {
  const [client, near] = await socketPair(t);
  const [upstream, backend] = await socketPair(t);
  const clock = new ManualClock();
  const splicer = new Splicer(clock);
  const { promise, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  const splice = splicer.splice(near, upstream, {
    settings: OFF,
    frames: false,
    ...options,
    onClose: () => {
      calls++;
      resolve();
    },
  });
  return { client, backend, splice, splicer, clock, closed: promise, closeCalls: () => calls };
}

/** Everything is over, and the splice was reported once. */
export async function assertGone({ splice, splicer, clock, closed, closeCalls }: Setup): Promise<void> {
  await closed;
  while (splicer.size > 0) await new Promise(setImmediate);
  assert(splice.client.destroyed && splice.upstream.destroyed);
  assert.equal(closeCalls(), 1);
  assert.equal(clock.ticking, false);
}

export function frame(opcode: number, payload: Uint8Array, { fin = true, masked = false } = {}): Buffer {
  const header = [(fin ? 0x80 : 0) | opcode];
  const mask = masked ? 0x80 : 0;
  const { length } = payload;
  if (length < 126) header.push(mask | length);
  else if (length < 65_536) header.push(mask | 126, length >> 8, length & 255);
  else
    header.push(
      mask | 127,
      0,
      0,
      0,
      0,
      length >>> 24,
      (length >> 16) & 255,
      (length >> 8) & 255,
      length & 255,
    );
  const key = masked ? randomBytes(4) : Buffer.alloc(4);
  const body = Buffer.from(payload);
  for (let i = 0; i < length; i++) body[i]! ^= key[i & 3]!;
  return Buffer.concat(masked ? [Buffer.from(header), key, body] : [Buffer.from(header), body]);
}

export interface Parsed {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/** Complete frames of a stream, unmasked. */
export function parse(stream: Buffer): Parsed[] {
  const reader = new FrameReader();
  const found: Parsed[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = reader.read(stream, at);
    if (!reader.atBoundary) break;
    const payload = Buffer.from(stream.subarray(end - reader.payloadLength, end));
    if (reader.masked) {
      const key = stream.subarray(end - reader.payloadLength - 4, end - reader.payloadLength);
      for (let i = 0; i < payload.length; i++) payload[i]! ^= key[i & 3]!;
    }
    found.push({ opcode: reader.opcode, fin: reader.fin, payload });
    at = end;
  }
  return found;
}
