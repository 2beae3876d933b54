/** What can go wrong between us and an API server, each with words for a person. Anything else thrown is our bug. */

/** Base of the errors that the world causes: they are reported and tried again, never a reason to crash. */
export class KubernetesError extends Error {}

/** No usable credentials, or no configuration to find the API server with. */
export class CredentialsError extends KubernetesError {}

/** There was no answer, or only part of one: whether a write took effect is not known. */
export class TransportError extends KubernetesError {}

/** The answer is not what the Kubernetes API defines. */
export class ProtocolError extends KubernetesError {}

/** An answer or a line of it is larger than we are willing to hold. */
export class TooLargeError extends ProtocolError {}

/** One of the causes of a Status (`details.causes`). */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** The API server's own error: a `Status` object, or a bare HTTP status. */
export class ApiError extends KubernetesError {
  /** The HTTP status, or the `code` of a Status inside a watch. */
  readonly status: number;
  /** Machine-readable, such as `Expired` or `AlreadyExists`; empty when the server gave none. */
  readonly reason: string;
  readonly causes: readonly StatusCause[];
  /** The wait that the server asked for, 0 when it asked for none. */
  readonly retryAfterMs: number;

  constructor(
    status: number,
    reason: string,
    message: string,
    causes: readonly StatusCause[],
    retryAfterMs: number,
  ) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.causes = causes;
    this.retryAfterMs = retryAfterMs;
  }

  /** The resourceVersion or continue token is older than what the server remembers. */
  get expired(): boolean {
    return this.status === 410;
  }

  /** Somebody changed the object in between, or it exists already. */
  get conflict(): boolean {
    return this.status === 409;
  }

  get notFound(): boolean {
    return this.status === 404;
  }

  /** This server has not yet caught up with the resourceVersion that we have. */
  get resourceVersionTooLarge(): boolean {
    return this.causes.some(({ reason }) => reason === 'ResourceVersionTooLarge');
  }
}

const MAX_WORDS = 500;

/**
 * Reads an error answer.
 *
 * @param what the request in words, such as `list secrets`
 * @param body the answer's text or the parsed Status
 * @param retryAfterSeconds the header's value, if any
 */
export function apiErrorFrom(
  what: string,
  status: number,
  body: unknown,
  retryAfterSeconds: string | null = null,
): ApiError {
  const parsed = typeof body === 'string' ? parseOrNull(body) : body;
  const fields = isRecord(parsed) && parsed.kind === 'Status' ? parsed : {};
  const details = isRecord(fields.details) ? fields.details : {};
  const causes = Array.isArray(details.causes) ? details.causes.filter(isRecord).map(causeFrom) : [];
  const reason = stringOr(fields.reason, '');
  const said = stringOr(
    fields.message,
    typeof body === 'string' && body !== '' ? firstLine(body) : 'no message',
  );
  const seconds = Number(retryAfterSeconds ?? details.retryAfterSeconds ?? 0);
  return new ApiError(
    status,
    reason,
    `${what}: ${said.slice(0, MAX_WORDS)} (${status}${reason === '' ? '' : ` ${reason}`})`,
    causes,
    Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0,
  );
}

function causeFrom(cause: Record<string, unknown>): StatusCause {
  const { reason, message, field } = cause;
  return {
    ...(typeof reason === 'string' && { reason }),
    ...(typeof message === 'string' && { message }),
    ...(typeof field === 'string' && { field }),
  };
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function stringOr(value: unknown, fallback: string): string {
  return typeof value === 'string' && value !== '' ? value : fallback;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
