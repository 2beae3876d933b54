import { request } from 'node:http';
import type { Cluster } from '../cluster.ts';

const TIMEOUT_MS = 5_000;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One request to an address of the cluster, over a connection of its own. */
export function get(cluster: Cluster, address: string, port: number, path: string): Promise<Answer> {
  return ask(cluster, address, port, 'GET', path, '');
}

export function post(
  cluster: Cluster,
  address: string,
  port: number,
  path: string,
  body: string,
): Promise<Answer> {
  return ask(cluster, address, port, 'POST', path, body);
}

async function ask(
  cluster: Cluster,
  address: string,
  port: number,
  method: string,
  path: string,
  sent: string,
): Promise<Answer> {
  const socket = await cluster.dial(address, port);
  return new Promise((resolve, reject) => {
    // An answer that never ends is none.
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${method} ${address}:${port}${path}: no answer within ${TIMEOUT_MS} ms`));
    }, TIMEOUT_MS);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    request({ createConnection: () => socket, method, path, headers: { host: 'test' } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', fail).on('end', () => {
        clearTimeout(timer);
        socket.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    })
      .on('error', fail)
      .end(sent);
  });
}
