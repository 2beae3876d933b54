import type { StatusCause } from '../errors.ts';

/** What the fake server says no with. */
export class Refusal extends Error {
  readonly status: number;
  readonly reason: string;
  readonly causes: readonly StatusCause[];
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    causes: readonly StatusCause[] = [],
    retryAfterSeconds?: number,
  ) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.causes = causes;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export function statusOf({ status, reason, message, causes, retryAfterSeconds }: Refusal): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...((causes.length > 0 || retryAfterSeconds !== undefined) && { details: { causes, retryAfterSeconds } }),
    code: status,
  };
}
