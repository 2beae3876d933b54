import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { AdminServer, type AdminSource } from './server.ts';

let ready = true;
const source: AdminSource = {
  readiness: () => ({ ready, reason: ready ? 'ready' : 'worker 1 of 2' }),
  metrics: async () => 'sluice_up 1\n',
  config: () => ({ gateways: [], problems: [] }),
  connections: async (limit) => ({ limit }),
  pools: () => [],
};
const server = new AdminServer(source);
let port = 0;

before(async () => {
  ({ port } = await server.listen('127.0.0.1', 0));
});
after(() => server.close());

const get = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}${path}`, init);

test('readiness is 200 or 503 with the reason', async () => {
  assert.equal((await get('/readyz')).status, 200);
  ready = false;
  const response = await get('/readyz');
  ready = true;
  assert.equal(response.status, 503);
  assert.equal(await response.text(), 'worker 1 of 2\n');
});

test('metrics, config, pools and the page are served', async () => {
  assert.match((await get('/metrics')).headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.deepEqual(await (await get('/config')).json(), { gateways: [], problems: [] });
  assert.deepEqual(await (await get('/pools')).json(), []);
  assert.match(await (await get('/')).text(), /<title>Sluice<\/title>/);
  assert.equal((await get('/healthz')).status, 200);
});

test('the connection limit is checked', async () => {
  assert.deepEqual(await (await get('/connections?limit=5')).json(), { limit: 5 });
  for (const bad of ['-1', '0', '', '1e9', 'x'])
    assert.equal((await get(`/connections?limit=${bad}`)).status, 400, bad);
});

test('a target that is no path is refused', async () => {
  for (const path of ['//', 'http://[']) {
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    request({ port, host: '127.0.0.1', path }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).end();
    assert.equal(await promise, 400, path);
  }
});

test('other methods and paths are refused with what was expected', async () => {
  assert.equal((await get('/config', { method: 'POST' })).status, 405);
  assert.equal((await get('/nowhere')).status, 404);
});

test('a foreign Host is refused on loopback (DNS rebinding)', async () => {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  request({ port, host: '127.0.0.1', path: '/config', headers: { host: 'attacker.example' } }, (response) => {
    response.resume();
    resolve(response.statusCode);
  }).end();
  assert.equal(await promise, 403);
});
