import { hash } from 'node:crypto';
import type { RequestView } from '../http/request.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2). */
export function wsAcceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}

/** What is wrong with a WebSocket handshake (RFC 6455 §4.2.1), in words; `null` when nothing is. */
export function checkWebSocketRequest(request: RequestView): string | null {
  if (request.method !== 'GET') return `found method ${request.method}, expected GET`;
  const version = request.headers.get('sec-websocket-version');
  if (version !== '13') return `found Sec-WebSocket-Version ${version ?? '(none)'}, expected 13`;
  const keys = request.headers.values('sec-websocket-key');
  if (keys.length !== 1 || !isKey(keys[0]!)) return 'expected one Sec-WebSocket-Key of 16 bytes in base64';
  return null;
}

/** 22 characters of base64 and `==`. */
function isKey(key: string): boolean {
  return key.length === 24 && key.endsWith('==') && Buffer.from(key, 'base64').length === 16;
}
