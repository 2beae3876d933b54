import { ApiError, isRecord, ProtocolError, TooLargeError } from './errors.ts';
import type { KubernetesObject } from './objects.ts';
import { adopt, inWords, pathOf, type Selection } from './selection.ts';
import { expectSuccess, type Transport } from './transport.ts';

export const PAGE_SIZE = 500;
const HEAD_TIMEOUT_MS = 60_000;
const BODY_TIMEOUT_MS = 120_000;
const MAX_PAGE_BYTES = 128 << 20;

interface Page {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  readonly continueToken: string;
}

export interface ListingOptions {
  readonly keepManagedFields: boolean;
  readonly pageSize?: number;
  readonly maxPageBytes?: number;
}

/**
 * One list of everything selected, page by page: all pages show the same moment. A page that failed can be asked
 * for again. The first page is a read of the newest state (no `resourceVersion`), so that what a relist shows is
 * never older than what was seen before.
 */
export class Listing<T extends KubernetesObject> {
  readonly objects: T[] = [];
  /** Of the whole list. */
  resourceVersion = '';
  #continueToken = '';
  /** 0 asks for everything at once. */
  #pageSize: number;
  readonly #transport: Transport;
  readonly #selection: Selection;
  readonly #options: ListingOptions;

  constructor(transport: Transport, selection: Selection, options: ListingOptions) {
    this.#transport = transport;
    this.#selection = selection;
    this.#options = options;
    this.#pageSize = options.pageSize ?? PAGE_SIZE;
  }

  /**
   * Gets the next page.
   *
   * @returns whether it was the last
   * @throws KubernetesError; the same page can be asked for again
   */
  async next(signal: AbortSignal): Promise<boolean> {
    const page = await this.#page(signal);
    const { type } = this.#selection;
    const objects = page.items.map((item) => adopt<T>(item, type, this.#options.keepManagedFields));
    for (const object of objects) this.objects.push(object);
    this.resourceVersion = page.resourceVersion;
    this.#continueToken = page.continueToken;
    return page.continueToken === '';
  }

  async #page(signal: AbortSignal): Promise<Page> {
    for (;;) {
      try {
        return await this.#request(signal);
      } catch (error) {
        if (error instanceof TooLargeError && this.#pageSize !== 1) {
          this.#pageSize = Math.max(1, (this.#pageSize === 0 ? PAGE_SIZE : this.#pageSize) >> 1);
        } else if (error instanceof ApiError && error.expired && this.#continueToken !== '') {
          // The moment that the pages show was compacted away before the last page: what is larger than can be
          // paged through in time comes in one piece.
          this.#startOver();
          this.#pageSize = 0;
        } else {
          throw error;
        }
      }
    }
  }

  #startOver(): void {
    this.objects.length = 0;
    this.#continueToken = '';
  }

  async #request(signal: AbortSignal): Promise<Page> {
    const parameters: Record<string, string> = {};
    if (this.#pageSize > 0) parameters.limit = String(this.#pageSize);
    if (this.#continueToken !== '') parameters.continue = this.#continueToken;
    const request = {
      what: inWords('list', this.#selection),
      method: 'GET',
      path: pathOf(this.#selection, parameters),
      signal,
      headTimeoutMs: HEAD_TIMEOUT_MS,
    } as const;
    const answer = await expectSuccess(request, await this.#transport.send(request));
    const maxBytes = this.#options.maxPageBytes ?? MAX_PAGE_BYTES;
    return readPage(await answer.text({ timeoutMs: BODY_TIMEOUT_MS, maxBytes }), request.what);
  }
}

function readPage(text: string, what: string): Page {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new ProtocolError(`${what}: the answer is not JSON`);
  }
  const metadata = isRecord(list) ? list.metadata : undefined;
  if (!isRecord(list) || !isRecord(metadata) || typeof metadata.resourceVersion !== 'string') {
    throw new ProtocolError(`${what}: the answer is not a list with a resourceVersion`);
  }
  // The server says `null` for no items at all.
  const items = list.items ?? [];
  if (!Array.isArray(items)) throw new ProtocolError(`${what}: items is not a list`);
  const token = metadata.continue;
  return {
    items,
    resourceVersion: metadata.resourceVersion,
    continueToken: typeof token === 'string' ? token : '',
  };
}
