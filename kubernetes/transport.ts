/** How requests get to the API server: all that the rest of this module knows about HTTP. */
import { apiErrorFrom } from './errors.ts';

export interface ApiRequest {
  /** The request in words, for errors: `list secrets`. */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Begins with a slash; with the query. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Until the head of the answer is here. */
  readonly headTimeoutMs: number;
}

export interface ApiAnswer {
  readonly status: number;
  readonly retryAfterSeconds: string | null;
  /**
   * The whole body, once.
   *
   * @throws TransportError when it is cut, or not complete in time
   * @throws TooLargeError
   */
  text(limits: { readonly timeoutMs: number; readonly maxBytes: number }): Promise<string>;
  /**
   * The lines of the body as they come, once; a last line without its line end was cut and is left out. Whoever
   * stops early releases the connection.
   *
   * @param onBytes called whenever something arrived
   * @throws TransportError when the connection breaks
   * @throws TooLargeError
   */
  lines(limits: { readonly maxLineBytes: number }, onBytes?: () => void): AsyncIterable<string>;
  /** Gives up on the body. */
  discard(): void;
}

export interface Transport {
  /**
   * Sends a request. Answers of any status resolve; 401 does so only after new credentials were tried.
   *
   * @throws TransportError, CredentialsError
   */
  send(request: ApiRequest): Promise<ApiAnswer>;
}

/** Bodies of errors are short; what is longer is cut off by giving up. */
const MAX_ERROR_BYTES = 1 << 20;
const ERROR_TIMEOUT_MS = 10_000;

/** @throws ApiError unless the status is 2xx. */
export async function expectSuccess(request: ApiRequest, answer: ApiAnswer): Promise<ApiAnswer> {
  if (answer.status >= 200 && answer.status < 300) return answer;
  const body = await answer.text({ timeoutMs: ERROR_TIMEOUT_MS, maxBytes: MAX_ERROR_BYTES });
  throw apiErrorFrom(request.what, answer.status, body, answer.retryAfterSeconds);
}
