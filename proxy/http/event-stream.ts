import type { ResponseHead } from './codec/head.ts';
import type { RequestView } from './request.ts';

/** Event streams are answers without an end, and count as connections. */
const MEDIA_TYPE = 'text/event-stream';

export function asksForEvents(request: RequestView): boolean {
  return request.headers.get('accept')?.includes(MEDIA_TYPE) === true;
}

export function isEventStream(head: ResponseHead): boolean {
  return head.get('content-type')?.toLowerCase().startsWith(MEDIA_TYPE) === true;
}
