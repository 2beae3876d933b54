/**
 * An echo backend that costs next to nothing: `websocket-backend.ts PORT PAYLOAD_BYTES`. Answers every handshake, then
 * sends one frame for each frame of the agreed size that arrives. Prints `ready` when it listens.
 */
import { createServer } from 'node:net';
import { frameBytes, HANDSHAKE_ANSWER, serverFrame } from './websocket-frames.ts';

const [port, payloadBytes] = process.argv.slice(2).map(Number);
const inBytes = frameBytes(payloadBytes!, true);
const echo = serverFrame(payloadBytes!);
const END_OF_HEAD = Buffer.from('\r\n\r\n');

createServer({ noDelay: true }, (socket) => {
  let open = false;
  let pendingBytes = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    let bytes = chunk.length;
    if (!open) {
      const end = chunk.indexOf(END_OF_HEAD);
      if (end < 0) return;
      open = true;
      bytes -= end + END_OF_HEAD.length;
      socket.write(HANDSHAKE_ANSWER);
    }
    pendingBytes += bytes;
    while (pendingBytes >= inBytes) {
      pendingBytes -= inBytes;
      socket.write(echo);
    }
  });
}).listen({ port: port!, host: '127.0.0.1', backlog: 4096 }, () => console.log('ready'));
