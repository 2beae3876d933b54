/**
 * A WebSocket that comes back by itself, and that finds out why it was not let in.
 *
 * Events, all with their facts in `detail`:
 *   connecting            an attempt begins
 *   open                  connected
 *   data                  one message, parsed
 *   waiting   {why, retryAt}                          not connected, another attempt will be made
 *   refused   {message, retryAt, seconds}             429: the gateway says there are too many connections
 *   rejected  {why}                                   no further attempt will be made
 */
const FIRST_BACKOFF_MS = 400;
const MAX_BACKOFF_MS = 15_000;
/** How long a slot that was only asked for may take to be free again. */
const RELEASE_MS = 250;
const DEFAULT_RETRY_SECONDS = 5;

export class Connection extends EventTarget {
  #token;
  #socket = null;
  #timer = 0;
  #failures = 0;
  #stopped = false;

  /** @param {() => Promise<string>} token mints a fresh token; called before each attempt */
  constructor(token) {
    super();
    this.#token = token;
  }

  /** Tries now, instead of when it would have. */
  connect() {
    clearTimeout(this.#timer);
    if (this.#stopped || this.#socket !== null) return;
    this.#tell('connecting');
    this.#token().then(
      (token) => this.#open(token),
      () => this.#later('The chat cannot be reached.'),
    );
  }

  send(value) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(value));
    return true;
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
  }

  #open(token) {
    if (this.#stopped || this.#socket !== null) return;
    const url = new URL('/hub', location.href);
    url.searchParams.set('access_token', token);
    const page = url.href;
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    let opened = false;
    this.#socket = socket;
    socket.addEventListener('open', () => {
      opened = true;
      this.#failures = 0;
      this.#tell('open');
    });
    socket.addEventListener('message', (event) => this.#tell('data', JSON.parse(event.data)));
    socket.addEventListener('close', (event) => {
      this.#socket = null;
      if (this.#stopped) return;
      if (!opened) this.#findOutWhy(page);
      else if (event.code === 1008) this.#reject(event.reason || 'The gateway ended this connection.');
      else if (event.code === 1012) this.#later('The service restarts. Reconnecting…');
      else this.#later('The connection was lost. Reconnecting…');
    });
  }

  /**
   * A page cannot read the status of a failed WebSocket handshake. An event stream from the same place is a counted
   * connection as well, so it is refused for the same reason, and that answer is readable.
   */
  async #findOutWhy(page) {
    const stop = new AbortController();
    try {
      const response = await fetch(page, {
        headers: { Accept: 'text/event-stream' },
        cache: 'no-store',
        signal: stop.signal,
      });
      if (response.status === 429) return await this.#refuse(response);
      if (response.status === 401) return this.#later('Signing in again…');
      if (!response.ok) return this.#later(`The chat is not available (${response.status}). Trying again…`);
      // There was room after all. Give the slot back before asking for it again.
      stop.abort();
      this.#later('Connecting…', RELEASE_MS);
    } catch {
      this.#later('The gateway cannot be reached. Trying again…');
    }
  }

  async #refuse(response) {
    const seconds = Number(response.headers.get('Retry-After')) || DEFAULT_RETRY_SECONDS;
    const answer = await response.json().catch(() => null);
    if (this.#stopped) return;
    this.#failures = 0;
    const retryAt = this.#schedule(seconds * 1000);
    this.#tell('refused', { message: answer?.error?.message ?? 'Too many connections', retryAt, seconds });
  }

  #reject(why) {
    this.#stopped = true;
    this.#tell('rejected', { why });
  }

  /** Exponential backoff with full jitter: after a restart, not everyone is back in the same instant. */
  #later(why, floorMs = 0) {
    if (this.#stopped) return;
    const ceiling = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures++);
    this.#tell('waiting', { why, retryAt: this.#schedule(floorMs + Math.random() * ceiling) });
  }

  #schedule(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), ms);
    return performance.now() + ms;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
