import { checkWebSocketRequest, wsAcceptKey } from '../websocket/handshake.ts';
import { type Answer, answerFor, answerWith } from './answers.ts';
import type { ResponseHead } from './codec/head.ts';
import { upgradeLines } from './codec/write.ts';
import type { RequestView } from './request.ts';

/** The answer to a WebSocket handshake that no backend shall see (RFC 6455 §4.2.1); `null` where it is in order. */
export function handshakeProblem(request: RequestView, hasBody: boolean): Answer | null {
  const version = request.headers.get('sec-websocket-version');
  if (version !== undefined && version !== '13') {
    return answerWith('websocket_version', `Sec-WebSocket-Version: 13\r\n${upgradeLines('websocket')}`);
  }
  if (hasBody || checkWebSocketRequest(request) !== null) return answerFor('bad_websocket_handshake');
  return null;
}

/**
 * Whether a backend's 101 accepts the handshake that was sent (RFC 6455 §4.1).
 * @returns what is wrong, for metrics and logs; `null` where it is in order
 */
export function verifyUpgrade(request: RequestView, head: ResponseHead): string | null {
  if (head.upgrade?.toLowerCase() !== 'websocket') return 'upgrade_not_websocket';
  const key = request.headers.get('sec-websocket-key') ?? '';
  if (head.get('sec-websocket-accept') !== wsAcceptKey(key)) return 'websocket_accept_mismatch';
  return null;
}

/** Whether WebSocket is among the protocols of an Upgrade field. */
export function offersWebSocket(upgrade: string): boolean {
  const protocols = upgrade.toLowerCase();
  return (
    protocols === 'websocket' || protocols.split(',').some((protocol) => protocol.trim() === 'websocket')
  );
}
