/** `sluice run` as a process: start, reload, bad edits, stop. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { backendPool, edgeGateway, Gateway, type Resource } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { freePort } from '../support/ports.ts';
import { run } from '../support/processes.ts';
import { until } from '../support/until.ts';

const CLI = new URL('../../cli/main.ts', import.meta.url).pathname;

let backend: Server;
let webSockets: WebSocketServer;
let backendPort = 0;

before(async () => {
  backend = createServer((request, response) => response.end(`backend ${request.url}`));
  webSockets = new WebSocketServer({ server: backend });
  webSockets.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
  backendPort = await listening(backend);
});
after(async () => {
  for (const socket of webSockets.clients) socket.terminate();
  await closed(backend);
});

type GatewaySpec = Parameters<typeof edgeGateway>[0];

function resources(port: number, spec: Partial<GatewaySpec> = {}): Resource[] {
  return [
    edgeGateway({
      workers: 2,
      listeners: [{ name: 'web', protocol: 'HTTP', port }],
      routes: [{ name: 'all', backend: { pool: 'backend' } }],
      drain: { timeoutSeconds: 0, jitterSeconds: 0 },
      ...spec,
    }),
    backendPool('backend', { targets: [{ ip: '127.0.0.1', port: backendPort }] }),
  ];
}

async function open(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, 'open');
  return socket;
}

async function echo(socket: WebSocket, text: string): Promise<string> {
  const answer = once(socket, 'message');
  socket.send(text);
  return String((await answer)[0]);
}

const status = async (url: string): Promise<number> => (await fetch(url)).status;
const problems = async (gateway: Gateway): Promise<{ severity: string; text: string }[]> =>
  (
    (await (await fetch(`${gateway.adminUrl}/config`)).json()) as {
      problems: { severity: string; text: string }[];
    }
  ).problems;

describe('reload', () => {
  test('a change is served, and what it does not concern is left alone', async () => {
    const port = await freePort();
    await using gateway = await Gateway.start(resources(port));
    const socket = await open(port);
    const second = await freePort();
    await gateway.apply(
      resources(port, {
        listeners: [
          { name: 'web', protocol: 'HTTP', port },
          { name: 'second', protocol: 'HTTP', port: second },
        ],
        routes: [
          {
            name: 'gone',
            match: { paths: [{ type: 'Exact', value: '/old' }] },
            filters: [redirectTo('/new')],
          },
          { name: 'all', backend: { pool: 'backend' } },
        ],
      }),
    );
    const answer = await until('the new listener redirects', async () => {
      const response = await fetch(`http://127.0.0.1:${second}/old`, { redirect: 'manual' }).catch(
        () => null,
      );
      return response?.status === 302 ? response : null;
    });
    assert.equal(new URL(answer.headers.get('location') ?? '').pathname, '/new');
    assert.equal(await echo(socket, 'still here'), 'still here');
    socket.terminate();
  });

  test('a removed listener is drained: WebSockets are told to come back', async () => {
    const port = await freePort();
    const second = await freePort();
    const both: GatewaySpec['listeners'] = [
      { name: 'web', protocol: 'HTTP', port },
      { name: 'second', protocol: 'HTTP', port: second },
    ];
    await using gateway = await Gateway.start(resources(port, { listeners: both }));
    const kept = await open(port);
    const drained = await open(second);
    const close = once(drained, 'close');
    await gateway.apply(resources(port));
    assert.equal((await close)[0], 1012);
    await assert.rejects(fetch(`http://127.0.0.1:${second}/`));
    assert.equal(await echo(kept, 'kept'), 'kept');
    kept.terminate();
  });

  test('a removed pool is drained, and its route answers 500', async () => {
    const port = await freePort();
    await using gateway = await Gateway.start(resources(port));
    const drained = await open(port);
    const close = once(drained, 'close');
    await gateway.apply(resources(port).slice(0, 1));
    await until('the route answers 500', async () => (await status(`http://127.0.0.1:${port}/`)) === 500);
    // The pool's own drain setting holds: five minutes by default. The connection stays.
    assert.equal(await echo(drained, 'still here'), 'still here');
    drained.terminate();
    await close;
  });

  test('text that is not YAML changes nothing, and the place is named', async () => {
    const port = await freePort();
    {
      await using gateway = await Gateway.start(resources(port));
      const good = await (await fetch(`${gateway.adminUrl}/config`)).json();
      await gateway.write('kind: [');
      const found = await until('the problem is reported', async () => (await problems(gateway))[0]);
      assert.match(found.text, /gateway\.yaml:1:\d+: /);
      assert.equal(await status(`http://127.0.0.1:${port}/`), 200);
      await gateway.apply(resources(port));
      await until('the problem is gone', async () => (await problems(gateway)).length === 0);
      assert.deepEqual(await (await fetch(`${gateway.adminUrl}/config`)).json(), good);
    }
  });

  test('an object that became invalid keeps its last good version', async () => {
    const port = await freePort();
    await using gateway = await Gateway.start(resources(port));
    await gateway.apply(
      resources(port, { routes: [{ name: 'all', backend: { pool: 'backend' }, oops: 1 } as never] }),
    );
    const found = await until('the problems are reported', async () => {
      const texts = (await problems(gateway)).map(({ text }) => text).join('\n');
      return texts === '' ? null : texts;
    });
    assert.match(found, /EdgeGateway default\/test: spec\.routes\[0\]\.oops/);
    assert.match(found, /the last valid version of this object stays in effect/);
    assert.equal(await status(`http://127.0.0.1:${port}/`), 200);
  });
});

describe('stop', () => {
  test('SIGTERM drains: WebSockets are told to come back, requests are finished, the exit code is 0', async () => {
    const port = await freePort();
    await using gateway = await Gateway.start(
      resources(port, { drain: { timeoutSeconds: 1, jitterSeconds: 0 } }),
    );
    const socket = await open(port);
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    const idleEnd = once(idle, 'close');
    idle.resume();
    const close = once(socket, 'close');
    gateway.process.signal('SIGTERM');
    assert.equal(await echo(socket, 'in the meantime'), 'in the meantime');
    assert.equal((await close)[0], 1012);
    await idleEnd;
    assert.deepEqual(await gateway.process.exited, { code: 0, signal: null });
  });

  test('a second SIGTERM ends at once', async () => {
    const port = await freePort();
    await using gateway = await Gateway.start(
      resources(port, { drain: { timeoutSeconds: 3600, jitterSeconds: 0 } }),
    );
    const socket = await open(port);
    const gone = once(socket, 'close');
    socket.on('error', () => {});
    gateway.process.signal('SIGTERM');
    await until('it drains', async () => (await fetch(`${gateway.adminUrl}/readyz`)).status === 503);
    gateway.process.signal('SIGTERM');
    assert.deepEqual(await gateway.process.exited, { code: 0, signal: null });
    await gone;
  });
});

describe('Services on one machine', () => {
  const withService = (port: number): Resource[] => [
    resources(port)[0]!,
    backendPool('backend', { targets: [{ serviceRef: { name: 'chat', port: 80 } }] }),
  ];

  test('are where the command line says', async () => {
    const port = await freePort();
    await using _gateway = await Gateway.start(withService(port), {}, [
      '--service',
      `chat:80=localhost:${backendPort}`,
    ]);
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/a`)).text(), 'backend /a');
  });

  test('are missing otherwise, which says how to name them', async () => {
    const port = await freePort();
    await using gateway = await Gateway.start(withService(port));
    assert.equal(await status(`http://127.0.0.1:${port}/`), 503);
    const [pool] = (await (await fetch(`${gateway.adminUrl}/pools`)).json()) as {
      targets: { problem: string }[];
    }[];
    assert.match(pool!.targets[0]!.problem, /--service default\/chat:80=HOST:PORT/);
  });
});

describe('start', () => {
  test('a port that is taken is reported, and the rest is served', async () => {
    const port = await freePort();
    await using gateway = await Gateway.start(
      resources(port, {
        listeners: [
          { name: 'web', protocol: 'HTTP', port },
          { name: 'taken', protocol: 'HTTP', port: backendPort },
        ],
      }),
    );
    assert.equal(await status(`http://127.0.0.1:${port}/`), 200);
    assert.deepEqual(await problems(gateway), [
      { severity: 'error', text: `listener taken: port ${backendPort} is in use by another process` },
    ]);
  });

  test('a second gateway on the same port does not take a part of its connections', async () => {
    const port = await freePort();
    await using first = await Gateway.start(resources(port));
    assert.equal(await status(`http://127.0.0.1:${port}/`), 200);
    const listeners: GatewaySpec['listeners'] = [
      { name: 'web', protocol: 'HTTP', port },
      { name: 'free', protocol: 'HTTP', port: await freePort() },
    ];
    await using second = await Gateway.start(resources(port, { listeners }));
    assert.match((await problems(second))[0]?.text ?? '', /in use by another process/);
    assert.equal((await problems(first)).length, 0);
    // Without any port it is alive, to be repaired by an edit, and not ready.
    await second.apply(resources(port));
    await until('it is not ready, and says why', async () => {
      const response = await fetch(`${second.adminUrl}/readyz`);
      return (
        response.status === 503 && /no listener of gateway default\/test could/.test(await response.text())
      );
    });
    await second.apply(resources(await freePort()));
    await until('it is ready', async () => (await fetch(`${second.adminUrl}/readyz`)).ok);
  });

  test('an admin address that is taken is an error that says what to do', async () => {
    const port = await freePort();
    await using first = await Gateway.start(resources(port));
    const admin = new URL(first.adminUrl).host;
    const result = await run(process.execPath, [CLI, 'run', '-f', '/dev/null', '--admin', admin]);
    assert.equal(result.code, 1);
    assert.match(
      result.output,
      /admin: port \d+ is in use by another process; --admin HOST:PORT chooses another/,
    );
  });

  test('nothing to serve is an error, with the reasons and exit code 1', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
    try {
      const file = join(folder, 'gateway.yaml');
      await writeFile(file, 'apiVersion: sluice.dev/v1alpha1\nkind: EdgeGatway\nmetadata: {name: x}\n');
      const result = await run(process.execPath, [CLI, 'run', '-f', file, '--admin', '127.0.0.1:0']);
      assert.equal(result.code, 1);
      assert.match(result.output, /gateway\.yaml:2:\d+: .*EdgeGatway.*did you mean/);
      assert.match(result.output, /nothing to serve/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

function redirectTo(path: string): never {
  return {
    type: 'RequestRedirect',
    requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: path }, statusCode: 302 },
  } as never;
}
