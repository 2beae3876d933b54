/** Mutual exclusion between processes of one machine. */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

/**
 * Runs `work` while no other process holds the lock of this name. The lock is an abstract Unix socket: the kernel
 * releases it with the process that holds it, whatever way that ends, and no file is left behind.
 *
 * @param onWait called once when another process holds the lock.
 */
export async function withLock<T>(name: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  let release = await tryLock(name);
  if (release === null) onWait?.();
  while (release === null) {
    await released(name);
    release = await tryLock(name);
  }
  try {
    return await work();
  } finally {
    release();
  }
}

async function tryLock(name: string): Promise<(() => void) | null> {
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket);
    socket.on('error', () => {}).on('close', () => waiting.delete(socket));
  });
  try {
    server.listen(addressOf(name));
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
  return () => {
    server.close();
    for (const socket of waiting) socket.destroy();
  };
}

/** Resolves when the holder lets go, which closes the connections of those who wait, or has let go already. */
function released(name: string): Promise<void> {
  return new Promise((resolve) => {
    createConnection(addressOf(name))
      .on('error', () => {})
      .on('close', () => resolve());
  });
}

function addressOf(name: string): string {
  return `\0sluice-${name}`;
}
