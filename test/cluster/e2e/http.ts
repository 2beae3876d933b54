import { request } from 'node:http';
import type { Cluster } from '../cluster.ts';

const TIMEOUT_MS = 5_000;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One request to an address of the cluster, over a connection of its own. */
export async function get(
  cluster: Cluster,
  address: string,
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const socket = await cluster.dial(address, port);
  return new Promise((resolve, reject) => {
    const options = {
      createConnection: () => socket,
      path,
      headers: { host: 'test', ...headers },
      timeout: TIMEOUT_MS,
    };
    request(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => {
        socket.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
      response.on('error', reject);
    })
      .on('timeout', () => socket.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
      .on('error', reject)
      .end();
  });
}
