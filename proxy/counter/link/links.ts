import type { RawData, WebSocket } from 'ws';
import { Backoff } from '../../../kubernetes/backoff.ts';
import type { Clock } from '../../../kubernetes/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Incarnation } from '../protocol/lease.ts';
import { decodeFrame, encodeFrame, FrameError, type FrameLimits, type LinkMessage } from './codec.ts';
import { type LinkTransport, MAX_FRAME_BYTES } from './transport.ts';

export interface LinksOptions {
  readonly self: Incarnation;
  readonly transport: LinkTransport;
  readonly limits: FrameLimits;
  readonly addressOf: (peer: Incarnation) => string | undefined;
  readonly onMessages: (from: Incarnation, messages: readonly LinkMessage[]) => void;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Pick<Log, 'warn'>;
  readonly tuning?: Partial<LinkTuning>;
}

export interface LinkTuning {
  /** Between two signs of life; after three without one from the peer the link is taken for dead. */
  readonly heartbeatMs: number;
  /** Bytes that wait for a slow peer; frames beyond are dropped. */
  readonly maxBufferedBytes: number;
  /** Messages that wait for a link; older ones are dropped. */
  readonly maxQueued: number;
  /** Between two attempts to open a link that cannot be opened. */
  readonly minRedialMs: number;
  readonly maxRedialMs: number;
  /** A link that cannot be opened for less than this is no news: its peer may have left. */
  readonly quietMs: number;
  /** A peer to whom nothing was said for so long, and without a link, is forgotten. */
  readonly idleMs: number;
}

export const LINK_TUNING: LinkTuning = {
  heartbeatMs: 1_000,
  maxBufferedBytes: 16 << 20,
  maxQueued: 8_192,
  minRedialMs: 100,
  maxRedialMs: 5_000,
  quietMs: 5_000,
  idleMs: 60_000,
};

/** What has happened so far, and what is now. */
export interface LinkCounts {
  /** Links that are open. */
  readonly open: number;
  /** Links that have been opened so far. */
  readonly opened: number;
  /** Messages that were dropped here, for want of a link or since the peer is slow. */
  readonly dropped: number;
}

interface Link {
  readonly socket: WebSocket;
  readonly dialedBySelf: boolean;
  heardMs: number;
}

interface Peer {
  readonly incarnation: Incarnation;
  readonly outbox: LinkMessage[];
  readonly backoff: Backoff;
  link: Link | null;
  dialing: WebSocket | null;
  notBeforeMs: number;
  saidMs: number;
  /** Since when no link can be opened. */
  failingMs: number | null;
  /** What was last wrong with it. */
  problem: string | null;
}

/** After a frame that no member would send. */
const POLICY_VIOLATION = 1008;
const SUPERSEDED = 4000;
const GOING_AWAY = 1001;
const MISSED_HEARTBEATS = 3;

/**
 * One member's links to the others: one for each pair, opened by whoever has something to say. If both open one at
 * the same time, that of the lesser name stays.
 *
 * All that is said to a peer in one turn of the event loop goes as one frame. What cannot be sent is dropped: the
 * protocol says again what needs an answer.
 */
export class Links {
  readonly #options: LinksOptions;
  readonly #tuning: LinkTuning;
  readonly #peers = new Map<Incarnation, Peer>();
  readonly #unsent = new Set<Peer>();
  #isFlushing = false;
  #isClosed = false;
  #dropped = 0;
  #opened = 0;
  #beatMs: number;
  #cancelBeat: () => void = () => {};

  constructor(options: LinksOptions) {
    this.#options = options;
    this.#tuning = { ...LINK_TUNING, ...options.tuning };
    this.#beatMs = options.clock.now();
    options.transport.serve(options.self, (peer, socket) => this.#onAccepted(peer, socket));
    this.#armBeat();
  }

  get counts(): LinkCounts {
    let open = 0;
    for (const { link } of this.#peers.values()) if (link !== null) open++;
    return { open, opened: this.#opened, dropped: this.#dropped };
  }

  /** Sent at the end of this turn of the event loop, or never. */
  send(to: Incarnation, message: LinkMessage): void {
    if (this.#isClosed) return;
    const peer = this.#peer(to);
    peer.outbox.push(message);
    this.#unsent.add(peer);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  /** Ends all links; what was said last is still sent. */
  close(): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
    this.#cancelBeat();
    for (const { link, dialing } of this.#peers.values()) {
      link?.socket.close(GOING_AWAY);
      dialing?.terminate();
    }
    this.#peers.clear();
  }

  #flush(): void {
    this.#isFlushing = false;
    if (this.#isClosed) return;
    for (const peer of this.#unsent) this.#deliver(peer);
    this.#unsent.clear();
  }

  #deliver(peer: Peer): void {
    const { outbox, link } = peer;
    peer.saidMs = this.#options.clock.now();
    if (link === null) {
      if (outbox.length > this.#tuning.maxQueued)
        this.#drop(outbox.splice(0, outbox.length - this.#tuning.maxQueued));
      this.#dial(peer);
      return;
    }
    const messages = outbox.splice(0);
    if (link.socket.bufferedAmount > this.#tuning.maxBufferedBytes) {
      this.#drop(messages);
      return;
    }
    const frame = encodeFrame(messages);
    if (Buffer.byteLength(frame) <= MAX_FRAME_BYTES) link.socket.send(frame);
    else this.#drop(messages);
  }

  #drop(messages: readonly LinkMessage[]): void {
    this.#dropped += messages.length;
  }

  #dial(peer: Peer): void {
    if (peer.dialing !== null) return;
    const { self, transport, addressOf, clock } = this.#options;
    const address = addressOf(peer.incarnation);
    if (address === undefined || clock.now() < peer.notBeforeMs) {
      this.#drop(peer.outbox.splice(0));
      return;
    }
    let socket: WebSocket;
    try {
      socket = transport.dial(self, peer.incarnation, address);
    } catch (error) {
      this.#onDialFailed(peer, (error as Error).message);
      this.#drop(peer.outbox.splice(0));
      return;
    }
    peer.dialing = socket;
    socket.on('error', (error) => this.#onDialFailed(peer, error.message));
    socket.on('open', () => {
      if (peer.dialing !== socket) return;
      peer.dialing = null;
      this.#adopt(peer, socket, true);
    });
    socket.on('close', () => {
      if (peer.dialing !== socket) return;
      peer.dialing = null;
      peer.notBeforeMs = clock.now() + peer.backoff.next();
      if (peer.link === null) this.#drop(peer.outbox.splice(0));
    });
  }

  #onDialFailed(peer: Peer, problem: string): void {
    const nowMs = this.#options.clock.now();
    peer.failingMs ??= nowMs;
    if (nowMs - peer.failingMs >= this.#tuning.quietMs) this.#say(peer, problem);
  }

  #onAccepted(from: Incarnation, socket: WebSocket): void {
    socket.on('error', () => {});
    if (this.#isClosed) socket.terminate();
    else this.#adopt(this.#peer(from), socket, false);
  }

  /** Makes a new socket the link to the peer, unless the one that is there is to stay. */
  #adopt(peer: Peer, socket: WebSocket, dialedBySelf: boolean): void {
    const { clock } = this.#options;
    const { link: old } = peer;
    if (old !== null && old.dialedBySelf !== dialedBySelf && this.#isPreferred(peer, old)) {
      socket.close(SUPERSEDED);
      return;
    }
    const link: Link = { socket, dialedBySelf, heardMs: clock.now() };
    peer.link = link;
    this.#opened++;
    old?.socket.close(SUPERSEDED);
    const heard = () => {
      link.heardMs = clock.now();
    };
    socket.on('ping', heard);
    socket.on('pong', heard);
    socket.on('message', (data, isBinary) => this.#onFrame(peer, link, data, isBinary));
    socket.on('close', () => {
      if (peer.link === link) peer.link = null;
    });
    peer.backoff.reset();
    peer.failingMs = null;
    peer.problem = null;
    if (peer.outbox.length > 0) this.#deliver(peer);
  }

  /** Of two links that were opened at the same time both sides keep the same one. */
  #isPreferred(peer: Peer, link: Link): boolean {
    return link.dialedBySelf === this.#options.self < peer.incarnation;
  }

  #onFrame(peer: Peer, link: Link, data: RawData, isBinary: boolean): void {
    if (peer.link !== link || this.#isClosed) return;
    link.heardMs = this.#options.clock.now();
    let messages: LinkMessage[];
    try {
      if (isBinary) throw new FrameError('frame: found binary, expected text');
      messages = decodeFrame((data as Buffer).toString('utf8'), this.#options.limits);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#say(peer, error.message);
      peer.link = null;
      link.socket.close(POLICY_VIOLATION);
      link.socket.terminate();
      return;
    }
    this.#options.onMessages(peer.incarnation, messages);
  }

  #armBeat(): void {
    this.#cancelBeat = this.#options.clock.after(this.#tuning.heartbeatMs, () => this.#beat());
  }

  #beat(): void {
    const nowMs = this.#options.clock.now();
    const { heartbeatMs, idleMs } = this.#tuning;
    // After a pause of this process what the peers said meanwhile has not been read yet.
    const wasAway = nowMs - this.#beatMs > 2 * heartbeatMs;
    this.#beatMs = nowMs;
    for (const peer of [...this.#peers.values()]) {
      const { link } = peer;
      if (link === null) {
        if (peer.dialing === null && nowMs - peer.saidMs > idleMs) this.#peers.delete(peer.incarnation);
      } else if (wasAway) {
        link.heardMs = nowMs;
      } else if (nowMs - link.heardMs > MISSED_HEARTBEATS * heartbeatMs) {
        this.#say(peer, 'no sign of life');
        peer.link = null;
        link.socket.terminate();
      } else {
        link.socket.ping();
      }
    }
    this.#armBeat();
  }

  /** Once for each thing that goes wrong, until it is well again. */
  #say(peer: Peer, problem: string): void {
    if (this.#isClosed || peer.problem === problem) return;
    peer.problem = problem;
    this.#options.log.warn(`link to member ${peer.incarnation}: ${problem}`);
  }

  #peer(incarnation: Incarnation): Peer {
    let peer = this.#peers.get(incarnation);
    if (peer === undefined) {
      const { clock, random } = this.#options;
      const { minRedialMs: minMs, maxRedialMs: maxMs } = this.#tuning;
      peer = {
        incarnation,
        outbox: [],
        backoff: new Backoff({ minMs, maxMs }, random),
        link: null,
        dialing: null,
        notBeforeMs: Number.NEGATIVE_INFINITY,
        saidMs: clock.now(),
        failingMs: null,
        problem: null,
      };
      this.#peers.set(incarnation, peer);
    }
    return peer;
  }
}
