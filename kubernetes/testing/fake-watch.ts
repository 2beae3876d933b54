import type http from 'node:http';
import type { KubernetesObject } from '../objects.ts';
import type { Change } from './fake-etcd.ts';

/** One open watch of the fake server. */
export class FakeWatch {
  readonly #response: http.ServerResponse;
  readonly #collection: string;
  readonly #isShown: (object: KubernetesObject) => boolean;
  readonly #chunkBytes: number;

  constructor(
    response: http.ServerResponse,
    collection: string,
    isShown: (object: KubernetesObject) => boolean,
    chunkBytes: number,
  ) {
    this.#response = response;
    this.#collection = collection;
    this.#isShown = isShown;
    this.#chunkBytes = chunkBytes;
  }

  /** An object that leaves what is selected is deleted, as far as this watch is concerned. */
  show({ collection, before, after, shown }: Change): void {
    if (collection !== this.#collection) return;
    const was = before !== null && this.#isShown(before);
    const is = after !== null && this.#isShown(after);
    if (is) this.event(was ? 'MODIFIED' : 'ADDED', shown);
    else if (was) this.event('DELETED', shown);
  }

  bookmark(revision: number): void {
    this.event('BOOKMARK', { metadata: { resourceVersion: String(revision) } });
  }

  error(status: object): void {
    this.event('ERROR', status);
    this.#response.end();
  }

  event(type: string, object: object): void {
    this.write(`${JSON.stringify({ type, object })}\n`);
  }

  /** Bytes of any kind. */
  write(text: string): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    const bytes = Buffer.from(text);
    const step = this.#chunkBytes > 0 ? this.#chunkBytes : bytes.length;
    for (let at = 0; at < bytes.length; at += step) this.#response.write(bytes.subarray(at, at + step));
  }

  end(): void {
    this.#response.end();
  }

  cut(): void {
    this.#response.destroy();
  }
}
