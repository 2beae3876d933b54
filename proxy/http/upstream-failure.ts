import type { Outcome } from '../pools/endpoint.ts';
import { type Answer, answerFor, answerLater, type Reason } from './answers.ts';

/** What a 503 for want of a backend says of when to come again. */
const RETRY_AFTER_SECONDS = 5;

/** Why an attempt failed, for metrics and the access log; the client is told less. */
export interface UpstreamFailure {
  readonly kind: 'connect_failed' | 'reset' | 'invalid_response' | 'timed_out';
  /** e.g. `connect_refused`, `tls_certificate_expired`, `closed_before_response`. */
  readonly code: string;
}

/** What the pool is told of it. */
export function outcomeOf(failure: UpstreamFailure): Outcome {
  if (failure.kind === 'connect_failed') return 'connect_failed';
  if (failure.kind === 'timed_out') return 'timed_out';
  return failure.kind === 'reset' ? 'reset' : 'server_error';
}

/** What the client is told of it. */
export function answerReason(failure: UpstreamFailure): Reason {
  return failure.kind === 'invalid_response' ? 'backend_invalid' : 'backend_failed';
}

/** The answer where no attempt succeeded. */
export function answerWithoutBackend(reason: Reason): Answer {
  const answer = answerFor(reason);
  return answer.status === 503 ? answerLater(reason, RETRY_AFTER_SECONDS) : answer;
}
