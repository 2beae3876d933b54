/** Just enough of RFC 6455 for a load generator and its backend: one fixed handshake, unfragmented binary frames. */

/** The nonce of RFC 6455 §1.3 and the answer to it. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

export const HANDSHAKE = Buffer.from(
  `GET /ws HTTP/1.1\r\nHost: bench.local\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
);
export const HANDSHAKE_ANSWER = Buffer.from(
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
);

const HEADER_BYTES = { short: 2, medium: 4 } as const;
const MASK_BYTES = 4;

/** Bytes of a frame with so much payload (up to 65,535). */
export function frameBytes(payloadBytes: number, masked: boolean): number {
  return (
    (payloadBytes < 126 ? HEADER_BYTES.short : HEADER_BYTES.medium) + (masked ? MASK_BYTES : 0) + payloadBytes
  );
}

/** A client's frame. The mask is zero: legal to receive, and it spares the load generator the work. */
export function clientFrame(payloadBytes: number): Buffer {
  return frame(payloadBytes, 0x80);
}

export function serverFrame(payloadBytes: number): Buffer {
  return frame(payloadBytes, 0);
}

function frame(payloadBytes: number, maskBit: number): Buffer {
  const buffer = Buffer.alloc(frameBytes(payloadBytes, maskBit !== 0), 0x61);
  buffer[0] = 0x82;
  let offset: number = HEADER_BYTES.short;
  if (payloadBytes < 126) buffer[1] = maskBit | payloadBytes;
  else {
    buffer[1] = maskBit | 126;
    offset = buffer.writeUInt16BE(payloadBytes, 2);
  }
  if (maskBit !== 0) buffer.writeUInt32BE(0, offset);
  return buffer;
}
