import type { ServerResponse } from 'node:http';
import type { Wire } from './connection.ts';

/** Below the minute or two after which proxies and clients give up on a silent request. */
const POLL_MS = 45_000;
/** How long a client may be without a poll before it counts as gone. */
const ABSENCE_MS = 15_000;
const CONTENT_TYPE = { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store' };

/** Long polling as a wire: what is sent waits for the next poll. */
export class PollWire implements Wire {
  readonly #absent: () => void;
  #waiting: ServerResponse | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pending = '';
  #ended = false;

  /** @param absent called when the client stops polling */
  constructor(absent: () => void) {
    this.#absent = absent;
    this.#await();
  }

  send(text: string): void {
    this.#pending += text;
    if (this.#waiting !== null) this.#answer(200);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.#waiting !== null) this.#answer(this.#pending === '' ? 204 : 200);
  }

  /** The client asks for what there is; a second poll replaces the first. */
  poll(response: ServerResponse): void {
    clearTimeout(this.#timer);
    if (this.#waiting !== null) this.#answer(204);
    this.#waiting = response;
    response.on('close', () => {
      if (this.#waiting !== response) return;
      this.#waiting = null;
      this.#await();
    });
    if (this.#pending !== '') this.#answer(200);
    else if (this.#ended) this.#answer(204);
    else this.#timer = setTimeout(() => this.#answer(200), POLL_MS);
  }

  #answer(status: 200 | 204): void {
    const response = this.#waiting;
    this.#waiting = null;
    response?.writeHead(status, CONTENT_TYPE).end(status === 200 ? this.#pending : undefined);
    if (status === 200) this.#pending = '';
    this.#await();
  }

  #await(): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(this.#absent, ABSENCE_MS);
  }
}
