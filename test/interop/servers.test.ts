/** Servers that nobody here wrote, as backends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { closed, listening } from '../support/listening.ts';
import { accepts, freePort } from '../support/ports.ts';
import { type RunningProcess, startProcess } from '../support/processes.ts';
import { findTool, skipWithout } from '../support/tools.ts';
import { type Front, ways } from '../support/ways.ts';

const PAGE = 'served by a file\n'.repeat(20_000);
const HOW = 'Install it with the package manager of your system (apt install nginx haproxy).';

interface Server {
  readonly name: string;
  readonly path: string | null;
  /** Writes the configuration into the folder and returns the arguments that run it in the foreground. */
  configure(folder: string, port: number, upstreamPort: number): Promise<readonly string[]>;
}

const nginx: Server = {
  name: 'nginx',
  path: findTool('nginx'),
  async configure(folder, port, upstreamPort) {
    await mkdir(join(folder, 'root'));
    await writeFile(join(folder, 'root/page.txt'), PAGE);
    await writeFile(
      join(folder, 'nginx.conf'),
      `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  types { text/plain txt; }
  gzip on;
  gzip_types text/plain;
  gzip_min_length 1;
  # Few, so that the end of a kept connection is met as well.
  keepalive_requests 7;
  server {
    listen 127.0.0.1:${port};
    root ${folder}/root;
    location /app/ {
      proxy_pass http://127.0.0.1:${upstreamPort};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
      client_max_body_size 4m;
    }
    location /moved { return 301 /page.txt; }
  }
}
`,
    );
    return ['-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')];
  },
};

const haproxy: Server = {
  name: 'HAProxy',
  path: findTool('haproxy'),
  async configure(folder, port, upstreamPort) {
    await writeFile(
      join(folder, 'haproxy.cfg'),
      `
global
  maxconn 512
  tune.bufsize 524288
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 30s
  timeout http-keep-alive 1s
frontend in
  bind 127.0.0.1:${port}
  filter compression
  compression algo gzip
  compression type text/plain
  http-request redirect code 301 location /page.txt if { path /moved }
  http-request return status 404 content-type text/plain string none if !{ path_beg /app/ } !{ path /page.txt }
  default_backend app
backend app
  server app 127.0.0.1:${upstreamPort}
`,
    );
    return ['-db', '-f', join(folder, 'haproxy.cfg')];
  },
};

for (const server of [nginx, haproxy]) {
  const skip = skipWithout(server.name, server.path, HOW);
  for (const way of ways) {
    describe(`${server.name} as a backend, ${way.name}`, { skip }, () => {
      const app = createServer((request, response) => {
        if (request.url === '/page.txt') {
          response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': PAGE.length }).end(PAGE);
          return;
        }
        let bytes = 0;
        request.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        request.on('end', () => response.end(`${request.method} ${request.url} ${bytes}`));
      });
      const webSockets = new WebSocketServer({ server: app });
      webSockets.on('connection', (socket) => {
        socket.on('message', (data, binary) => socket.send(data, { binary }));
      });
      let folder: string;
      let process: RunningProcess | undefined;
      let front: Front | undefined;

      before(async () => {
        folder = await mkdtemp(join(tmpdir(), 'sluice-server-'));
        const port = await freePort();
        const args = await server.configure(folder, port, await listening(app));
        process = await startProcess({ command: server.path!, args, ready: () => accepts(port) });
        front = await way.open([port]);
      });
      after(async () => {
        await front?.[Symbol.asyncDispose]();
        await process?.stop();
        for (const socket of webSockets.clients) socket.terminate();
        await closed(app);
        await rm(folder, { recursive: true, force: true });
      });

      const get = (path: string, init: RequestInit = {}): Promise<Response> =>
        fetch(`${front!.url}${path}`, init);

      test('a file', async () => {
        const response = await get('/page.txt', { headers: { 'Accept-Encoding': 'identity' } });
        assert.equal(response.status, 200);
        assert.equal(await response.text(), PAGE);
      });

      test('a compressed file, which has no length', async () => {
        const response = await get('/page.txt', { headers: { 'Accept-Encoding': 'gzip' } });
        assert.equal(response.headers.get('content-length'), null);
        assert.equal(response.headers.get('content-encoding'), 'gzip');
        assert.equal(await response.text(), PAGE);
      });

      test('a redirect', async () => {
        const response = await get('/moved', { redirect: 'manual' });
        assert.equal(response.status, 301);
        assert.match(response.headers.get('location') ?? '', /\/page\.txt$/);
        await response.arrayBuffer();
      });

      test('a file that is not there', async () => {
        const response = await get('/none.txt');
        assert.equal(response.status, 404);
        await response.arrayBuffer();
      });

      test('an upload', async () => {
        const response = await get('/app/upload', { method: 'PUT', body: Buffer.alloc(3_000_000) });
        assert.equal(await response.text(), 'PUT /app/upload 3000000');
      });

      test('many requests, one after another and side by side', async () => {
        const one = async (i: number): Promise<void> => {
          const response = await get(`/app/${i}`);
          assert.equal(await response.text(), `GET /app/${i} 0`);
        };
        for (let i = 0; i < 50; i++) await one(i);
        await Promise.all(Array.from({ length: 200 }, (_, i) => one(i)));
      });

      test('a WebSocket', async () => {
        const socket = new WebSocket(`${front!.wsUrl}/app/ws`);
        await once(socket, 'open');
        for (const size of [1, 1_000, 1_000_000]) {
          const data = Buffer.alloc(size, 'w');
          const answer = once(socket, 'message');
          socket.send(data);
          assert.ok(data.equals((await answer)[0] as Buffer));
        }
        socket.close(4001, 'done');
        assert.equal((await once(socket, 'close'))[0], 4001);
      });
    });
  }
}
