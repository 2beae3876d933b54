/**
 * The WebSocket load: `websocket-client.ts MODE PORT NUMBER PAYLOAD_BYTES SECONDS`, one line of JSON out.
 * - `accept`: opens NUMBER connections, 64 at a time, and says how many a second.
 * - `echo`: NUMBER connections, each sends a message when the last one came back; messages a second and latency.
 * - `idle`: opens NUMBER connections, prints `open`, holds them until its standard input ends.
 */
import { connect, type Socket } from 'node:net';
import { clientFrame, frameBytes, HANDSHAKE, HANDSHAKE_ANSWER } from './websocket-frames.ts';

const [mode, ...numbers] = process.argv.slice(2);
const [port, count, payloadBytes, seconds] = numbers.map(Number) as [number, number, number, number];
const PARALLEL_CONNECTS = 64;
const END_OF_HEAD = Buffer.from('\r\n\r\n');

const sockets: Socket[] = [];
const started = performance.now();
await openAll();
const openSeconds = (performance.now() - started) / 1000;
switch (mode) {
  case 'accept':
    print({ perSecond: count / openSeconds });
    break;
  case 'echo':
    print(await echo());
    break;
  case 'idle':
    console.log('open');
    for await (const _ of process.stdin);
    break;
  default:
    throw new Error(`found mode ${mode}, expected accept, echo or idle`);
}
for (const socket of sockets) socket.destroy();

async function openAll(): Promise<void> {
  let next = 0;
  const opener = async (): Promise<void> => {
    while (next < count) {
      next++;
      sockets.push(await open());
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_CONNECTS }, opener));
}

function open(): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(HANDSHAKE));
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('closed before the handshake was answered')));
  const expected = HANDSHAKE_ANSWER.subarray(0, 12);
  let head = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    if (!head.includes(END_OF_HEAD)) return;
    if (!head.subarray(0, 12).equals(expected)) {
      reject(new Error(`found ${head.subarray(0, 40).toString('latin1')}, expected HTTP/1.1 101`));
    }
    socket.removeAllListeners('data');
    resolve(socket);
  });
  return promise;
}

async function echo(): Promise<{ messages: number; perSecond: number; p99Ms: number }> {
  const message = clientFrame(payloadBytes);
  const echoBytes = frameBytes(payloadBytes, false);
  const latencies: number[] = [];
  let messages = 0;
  let running = true;
  for (const socket of sockets) {
    let missing = echoBytes;
    let sentAt = performance.now();
    socket.on('data', (chunk: Buffer) => {
      missing -= chunk.length;
      if (missing > 0) return;
      missing = echoBytes;
      messages++;
      const now = performance.now();
      if (messages % 16 === 0) latencies.push(now - sentAt);
      sentAt = now;
      if (running) socket.write(message);
    });
    socket.write(message);
  }
  const begin = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  running = false;
  const elapsed = (performance.now() - begin) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    messages,
    perSecond: messages / elapsed,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
  };
}

function print(value: object): void {
  console.log(JSON.stringify(value));
}
