import type { Endpoint } from '../pools/endpoint.ts';
import { MAX_HANDSHAKE_BYTES } from '../pools/handshake.ts';
import type { BodyReader } from './codec/body.ts';
import type { PoolSelector } from './services.ts';

/** Reads the answer that gives out the value by which later requests are kept together. */
export class HandshakeReader {
  readonly #pools: PoolSelector;
  #text = '';
  #over = false;

  constructor(pools: PoolSelector) {
    this.#pools = pools;
  }

  /** To be called before the part is sent on: the client's next request may come through another worker. */
  read(endpoint: Endpoint, buffer: Buffer, body: BodyReader): void {
    if (this.#over) return;
    if (body.payloadBytes > MAX_HANDSHAKE_BYTES) {
      this.#over = true;
      return;
    }
    const { ranges } = body;
    for (let i = 0; i < ranges.length; i += 2) {
      this.#text += buffer.toString('latin1', ranges[i]!, ranges[i + 1]!);
    }
    if (body.done) this.end(endpoint);
  }

  end(endpoint: Endpoint): void {
    if (this.#over) return;
    this.#over = true;
    this.#pools.learnFromBody(endpoint, this.#text);
  }
}
