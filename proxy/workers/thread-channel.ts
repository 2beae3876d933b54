import { addHandler, type Channel, dispatch, type Topic, type WorkerChannel } from './channel.ts';

interface Envelope {
  readonly topic: string;
  readonly payload: unknown;
}

/** What `MessagePort` and `Worker` have in common. */
interface Port {
  postMessage(value: Envelope, transfer: ArrayBuffer[]): void;
  on(event: 'message', listener: (value: Envelope) => void): unknown;
}

/** A channel over a worker thread's message port; one of these lives in the worker and one in the main thread. */
export class ThreadChannel implements Channel {
  readonly #port: Port;
  readonly #handlers = new Map<string, (payload: unknown) => void>();

  constructor(port: Port) {
    this.#port = port;
    port.on('message', ({ topic, payload }) => dispatch(this.#handlers, topic, payload));
  }

  post<P>(to: Topic<P>, payload: P, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage({ topic: to.name, payload } satisfies Envelope, transfer);
  }

  on<P>(from: Topic<P>, handler: (payload: P) => void): void {
    addHandler(this.#handlers, from, handler);
  }
}

/** The main thread's end. */
export class ThreadWorkerChannel extends ThreadChannel implements WorkerChannel {
  readonly workerId: number;

  constructor(worker: Port, workerId: number) {
    super(worker);
    this.workerId = workerId;
  }
}
