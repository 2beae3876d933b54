/**
 * The way into the cluster's network: runs in its network namespace and listens on a Unix socket, which is part of
 * the file system and so reachable from outside. A client writes `HOST PORT\n`, reads `ok\n` or one line that says
 * what is wrong, and from then on is connected with that address. Started as: node forward.ts SOCKET
 */
import { rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';

const MAX_LINE_BYTES = 300;
const CONNECT_TIMEOUT_MS = 10_000;

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: forward.ts SOCKET');
rmSync(path, { force: true });
createServer({ allowHalfOpen: true }, accept).listen(path);

function accept(client: Socket): void {
  let read = Buffer.alloc(0);
  client.on('error', () => client.destroy());
  client.on('data', function onData(chunk: Buffer): void {
    read = Buffer.concat([read, chunk]);
    const end = read.indexOf('\n');
    if (end === -1) {
      if (read.length > MAX_LINE_BYTES) client.destroy();
      return;
    }
    client.off('data', onData).pause();
    const [host, port] = read.toString('latin1', 0, end).split(' ');
    client.unshift(read.subarray(end + 1));
    connect(client, host!, Number(port));
  });
}

function connect(client: Socket, host: string, port: number): void {
  const target = createConnection({ host, port, allowHalfOpen: true, noDelay: true });
  target.setTimeout(CONNECT_TIMEOUT_MS, () => target.destroy(new Error(`${host}:${port} does not answer`)));
  const refuse = (error: Error): void => {
    client.end(`${error.message}\n`);
  };
  target.once('error', refuse);
  target.once('connect', () => {
    target.setTimeout(0).off('error', refuse);
    // A Unix socket cannot be reset: the client sees a reset of the target as an end.
    target.on('error', () => {}).on('close', () => client.destroySoon());
    client.on('close', () => target.destroy());
    client.write('ok\n');
    client.pipe(target);
    target.pipe(client);
  });
}
