/**
 * The two halves of a feature that lives in the main thread and in every data-path worker talk over a channel:
 * messages by topic, in order, structured-cloned. Each feature declares its own topics, so that no file knows
 * everybody's messages.
 */
export interface Topic<Payload> {
  readonly name: string;
  /** Never set: carries the payload's type. */
  readonly payload?: Payload;
}

/** Declares a topic; its name is unique over all features, e.g. `counter.acquire`. */
export function topic<Payload>(name: string): Topic<Payload> {
  return { name };
}

export interface Channel {
  /** @param transfer memory of the payload that is handed over instead of cloned: gone here afterwards */
  post<P>(topic: Topic<P>, payload: P, transfer?: ArrayBuffer[]): void;
  /** One handler a topic: a second registration is a programming error. */
  on<P>(topic: Topic<P>, handler: (payload: P) => void): void;
}

/** The main thread's side: one channel a worker, and who comes and goes. */
export interface WorkerChannel extends Channel {
  /** Unique for each worker thread ever started in this process: a replaced worker has a new one. */
  readonly workerId: number;
}

/** Two channels connected to each other within one thread: payloads are cloned, delivery is asynchronous. */
export function channelPair(): [Channel, Channel] {
  const left = new LocalChannel();
  const right = new LocalChannel();
  left.peer = right;
  right.peer = left;
  return [left, right];
}

class LocalChannel implements Channel {
  peer: LocalChannel | undefined;
  readonly #handlers = new Map<string, (payload: unknown) => void>();

  post<P>(to: Topic<P>, payload: P, transfer: ArrayBuffer[] = []): void {
    const copy = structuredClone(payload, { transfer });
    const { peer } = this;
    setImmediate(() => peer?.receive(to.name, copy));
  }

  on<P>(from: Topic<P>, handler: (payload: P) => void): void {
    addHandler(this.#handlers, from, handler);
  }

  receive(name: string, payload: unknown): void {
    dispatch(this.#handlers, name, payload);
  }
}

/** Registers a handler; for implementations of {@link Channel}. */
export function addHandler<P>(
  handlers: Map<string, (payload: unknown) => void>,
  from: Topic<P>,
  handler: (payload: P) => void,
): void {
  if (handlers.has(from.name)) throw new Error(`topic ${from.name} already has a handler`);
  handlers.set(from.name, handler as (payload: unknown) => void);
}

/** Hands a message to its handler; for implementations of {@link Channel}. */
export function dispatch(
  handlers: Map<string, (payload: unknown) => void>,
  name: string,
  payload: unknown,
): void {
  const handler = handlers.get(name);
  if (handler === undefined) throw new Error(`topic ${name} has no handler`);
  handler(payload);
}
