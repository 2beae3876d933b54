import type { Duplex } from 'node:stream';

/**
 * Who hears what happens on a socket. A worker has many thousands of sockets, so these are methods of the object that
 * has the socket, found through it, instead of functions of each socket's own; and a socket changes hands by one
 * assignment.
 */
export interface SocketOwner {
  onData(socket: Duplex, chunk: Buffer): void;
  /** The other side has sent all. */
  onEnd(socket: Duplex): void;
  /** The socket takes more again. */
  onDrain(socket: Duplex): void;
  /** `onClosed` follows. */
  onError(socket: Duplex, error: Error): void;
  onClosed(socket: Duplex): void;
}

const OWNER = Symbol('owner');

type Owned = Duplex & { [OWNER]?: SocketOwner };

/** Makes that object the one that hears of the socket, in the place of the one before. */
export function setOwner(socket: Duplex, owner: SocketOwner): void {
  const owned: Owned = socket;
  const first = owned[OWNER] === undefined;
  owned[OWNER] = owner;
  if (!first) return;
  socket.on('data', handleData);
  socket.on('end', handleEnd);
  socket.on('drain', handleDrain);
  socket.on('error', handleError);
  socket.on('close', handleClose);
}

function handleData(this: Owned, chunk: Buffer): void {
  this[OWNER]!.onData(this, chunk);
}

function handleEnd(this: Owned): void {
  this[OWNER]!.onEnd(this);
}

function handleDrain(this: Owned): void {
  this[OWNER]!.onDrain(this);
}

function handleError(this: Owned, error: Error): void {
  this[OWNER]!.onError(this, error);
}

function handleClose(this: Owned): void {
  this[OWNER]!.onClosed(this);
}
