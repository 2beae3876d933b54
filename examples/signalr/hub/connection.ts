/**
 * One client of a hub, whatever transport carries it: the handshake and the JSON messages of the SignalR hub
 * protocol (https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md).
 */

/** Ends every message. */
const RECORD_SEPARATOR = '\u001e';
const PING_INTERVAL_MS = 15_000;
const HANDSHAKE_TIMEOUT_MS = 15_000;
/** A client that says nothing for so long, not even a ping, is gone. */
const CLIENT_TIMEOUT_MS = 60_000;

const INVOCATION = 1;
const STREAM_ITEM = 2;
const COMPLETION = 3;
const STREAM_INVOCATION = 4;
const CANCEL_INVOCATION = 5;
const PING = 6;
const CLOSE = 7;

interface Message {
  readonly type?: number;
  readonly invocationId?: string;
  readonly target?: string;
  readonly arguments?: readonly unknown[];
  readonly protocol?: string;
  readonly version?: number;
}

/** What the transport does for a connection. */
export interface Wire {
  send(text: string): void;
  /** Ends the transport, once what was sent is out. */
  end(): void;
}

/** A result, a promise of one, or for a stream, an async iterable. */
export type HubMethod = (caller: HubConnection, ...args: never[]) => unknown;
export type HubMethods = Readonly<Record<string, HubMethod>>;

export class HubConnection {
  readonly id: string;
  readonly #wire: Wire;
  readonly #methods: HubMethods;
  readonly #ended: () => void;
  readonly #streams = new Set<string>();
  readonly #pings: NodeJS.Timeout;
  #heardAt = performance.now();
  #received = '';
  #greeted = false;
  #open = true;

  constructor(id: string, wire: Wire, methods: HubMethods, ended: () => void) {
    this.id = id;
    this.#wire = wire;
    this.#methods = methods;
    this.#ended = ended;
    this.#pings = setInterval(() => this.#ping(), PING_INTERVAL_MS);
  }

  /** Calls a method of the client. */
  invoke(target: string, ...args: readonly unknown[]): void {
    if (this.#greeted) this.#send({ type: INVOCATION, target, arguments: args });
  }

  /** Tells the client that it is over, and whether it should come back. */
  close(options: { readonly error?: string; readonly allowReconnect: boolean }): void {
    if (!this.#open) return;
    this.#send({ type: CLOSE, ...options });
    this.lost();
  }

  /** The transport is gone. */
  lost(): void {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#pings);
    this.#streams.clear();
    this.#wire.end();
    this.#ended();
  }

  /** Text from the client: any number of messages, the last of which may be incomplete. */
  receive(text: string): void {
    this.#heardAt = performance.now();
    const messages = (this.#received + text).split(RECORD_SEPARATOR);
    this.#received = messages.pop() ?? '';
    for (const message of messages) {
      if (!this.#open) return;
      try {
        const parsed = JSON.parse(message) as Message;
        if (this.#greeted) this.#take(parsed);
        else this.#greet(parsed);
      } catch {
        this.close({ error: 'Malformed message', allowReconnect: false });
      }
    }
  }

  #take(message: Message): void {
    const { invocationId } = message;
    switch (message.type) {
      case INVOCATION:
        void this.#call(message);
        break;
      case STREAM_INVOCATION:
        if (invocationId !== undefined) void this.#stream(message, invocationId);
        break;
      case CANCEL_INVOCATION:
        if (invocationId !== undefined) this.#streams.delete(invocationId);
        break;
      case CLOSE:
        this.lost();
        break;
      default:
      // A ping needs no answer, and what this hub does not know it may ignore.
    }
  }

  #greet(message: Message): void {
    if (message.protocol !== 'json') {
      this.#send({ error: `Protocol ${message.protocol}: only json is spoken here` });
      this.lost();
      return;
    }
    this.#greeted = true;
    this.#send({});
  }

  async #call({ target, arguments: args, invocationId }: Message): Promise<void> {
    const completion = await this.#run(target, args).then(
      (result) => ({ result: result ?? null }),
      (error: Error) => ({ error: error.message }),
    );
    // Without an id, the client does not wait for an answer.
    if (invocationId !== undefined) this.#send({ type: COMPLETION, invocationId, ...completion });
  }

  async #stream({ target, arguments: args }: Message, invocationId: string): Promise<void> {
    this.#streams.add(invocationId);
    let failure = {};
    try {
      for await (const item of (await this.#run(target, args)) as AsyncIterable<unknown>) {
        if (!this.#streams.has(invocationId)) break;
        this.#send({ type: STREAM_ITEM, invocationId, item });
      }
    } catch (error) {
      failure = { error: (error as Error).message };
    }
    if (this.#streams.delete(invocationId)) this.#send({ type: COMPLETION, invocationId, ...failure });
  }

  async #run(target = '', args: readonly unknown[] = []): Promise<unknown> {
    if (!Object.hasOwn(this.#methods, target)) throw new Error(`There is no method ${target}`);
    return this.#methods[target]!(this, ...(args as never[]));
  }

  #ping(): void {
    const silentMs = performance.now() - this.#heardAt;
    if (silentMs > CLIENT_TIMEOUT_MS || (!this.#greeted && silentMs > HANDSHAKE_TIMEOUT_MS)) this.lost();
    else if (this.#greeted) this.#send({ type: PING });
  }

  #send(message: object): void {
    if (this.#open) this.#wire.send(JSON.stringify(message) + RECORD_SEPARATOR);
  }
}
