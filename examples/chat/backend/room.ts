import type { WebSocket } from 'ws';

const HISTORY_MESSAGES = 50;
const MAX_TEXT_CHARACTERS = 2_000;
/** A reader that is this far behind is cut off rather than kept in memory. */
const MAX_BUFFERED_BYTES = 1 << 20;

export interface Message {
  readonly type: 'message';
  readonly from: string;
  readonly text: string;
  readonly at: string;
}

export interface Person {
  readonly name: string;
  readonly connections: number;
}

/** The one room of the chat: who is there, and what was said last. */
export class Room {
  readonly #members = new Map<string, Set<WebSocket>>();
  readonly #history: Message[] = [];

  join(name: string, socket: WebSocket): void {
    const sockets = this.#members.get(name) ?? new Set();
    this.#members.set(name, sockets.add(socket));
    this.#send(socket, { type: 'welcome', you: name, history: this.#history });
    this.#announce();
    socket.on('message', (data, isBinary) => {
      if (isBinary) socket.close(1003, 'Text only');
      else this.#say(name, data.toString(), socket);
    });
    socket.on('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0 && this.#members.get(name) === sockets) this.#members.delete(name);
      this.#announce();
    });
  }

  connections(name: string): number {
    return this.#members.get(name)?.size ?? 0;
  }

  people(): Person[] {
    return [...this.#members]
      .map(([name, sockets]) => ({ name, connections: sockets.size }))
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  #say(from: string, data: string, socket: WebSocket): void {
    const text = textOf(data);
    if (text === null) {
      socket.close(1007, 'Expected {"type":"message","text":"…"}');
      return;
    }
    const message: Message = { type: 'message', from, text, at: new Date().toISOString() };
    this.#history.push(message);
    if (this.#history.length > HISTORY_MESSAGES) this.#history.shift();
    this.#broadcast(message);
  }

  #announce(): void {
    this.#broadcast({ type: 'people', people: this.people() });
  }

  #broadcast(value: object): void {
    for (const sockets of this.#members.values()) {
      for (const socket of sockets) this.#send(socket, value);
    }
  }

  #send(socket: WebSocket, value: object): void {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.terminate();
    else socket.send(JSON.stringify(value));
  }
}

function textOf(data: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('text' in value)) return null;
  const { text } = value;
  if (typeof text !== 'string' || text.trim() === '' || text.length > MAX_TEXT_CHARACTERS) return null;
  return text;
}
