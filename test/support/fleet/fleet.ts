/** Hundreds of clients that exchange messages all the time, so that whatever happens to a connection is noticed. */
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../until.ts';
import { FleetClient } from './client.ts';
import type { FailedAttempt, FleetReport, Link } from './report.ts';

export interface FleetOptions {
  /** Where the WebSockets are opened. */
  readonly url: string;
  readonly clients: number;
  /** How often each client sends. */
  readonly intervalMs: number;
  /** One for each client. */
  readonly tokens?: readonly string[];
}

/** Opened a few at a time: a storm of handshakes is another test. */
const WAVE = 25;
const WAVE_MS = 50;
const OPEN_TIMEOUT_MS = 60_000;

export class Fleet implements AsyncDisposable {
  readonly #options: FleetOptions;
  readonly #clients: FleetClient[] = [];
  readonly #links: Link[] = [];
  readonly #failed: FailedAttempt[] = [];
  readonly #wrongEchoes: string[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Resolves when every client is connected. */
  async open(): Promise<void> {
    const { url, clients, intervalMs, tokens } = this.#options;
    for (let number = 0; number < clients; number++) {
      const token = tokens?.[number];
      this.#clients.push(
        new FleetClient({
          number,
          url,
          intervalMs,
          ...(token === undefined ? {} : { token }),
          opened: (link) => this.#links.push(link),
          failed: (attempt) => this.#failed.push(attempt),
          wrongEcho: (words) => this.#wrongEchoes.push(words),
        }),
      );
      if (number % WAVE === WAVE - 1) await delay(WAVE_MS);
    }
    await this.allOpen();
  }

  /** Resolves when every client has a connection, again. */
  async allOpen(timeoutMs = OPEN_TIMEOUT_MS): Promise<void> {
    await until('every client of the fleet is connected', () => this.#isOpen(), timeoutMs);
  }

  /** Resolves when each connection that is open now has had more echoes, or has ended. */
  async moreEchoes(echoes = 2): Promise<void> {
    const open = this.#links.filter(({ end }) => end === null).map((link) => [link, link.echoes] as const);
    await until('every connection of the fleet has had more echoes', () =>
      open.every(([link, before]) => link.end !== null || link.echoes >= before + echoes),
    );
  }

  report(): FleetReport {
    return { links: [...this.#links], failed: [...this.#failed], wrongEchoes: [...this.#wrongEchoes] };
  }

  /** Forgets what is over; what is open stays. */
  forget(): void {
    const open = this.#links.filter(({ end }) => end === null);
    this.#links.splice(0, Infinity, ...open);
    this.#failed.length = 0;
    this.#wrongEchoes.length = 0;
  }

  /** Closes everything, and resolves when it is closed. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.stop();
    await until('the fleet is gone', () => this.#links.every(({ end }) => end !== null));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #isOpen(): boolean {
    return this.#clients.length === this.#options.clients && this.#clients.every(({ isOpen }) => isOpen);
  }
}
