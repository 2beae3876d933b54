/**
 * Very many clients of one user at the same moment, over all workers, again and again, while others leave in every
 * way: never more than the limit are open, and every slot comes back.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { Gateway, secret } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { freePort } from '../support/ports.ts';
import { RawWebSocket, RawWebSocketServer } from '../support/raw-web-socket.ts';
import { until } from '../support/until.ts';
import { type FrontOptions, resourcesFor } from '../support/ways.ts';

const SIGNING_KEY = 'a signing key for the test of limits under load';
const CLIENTS = 1_000;
const LIMIT = 20;
const WORKERS = 4;

/** How the connections of one round leave, while the clients of the next one come. */
const WAYS_TO_LEAVE = [
  'RST',
  'FIN',
  'close frame',
  'never FIN',
  'idle timeout',
  'backend killed',
  'reload, then RST',
  'RST',
  'FIN and reload',
  'never FIN',
] as const;

interface Counted {
  readonly counted: { readonly connections: number };
}

describe('limits under load', () => {
  const backend = new RawWebSocketServer();
  let gateway: Gateway;
  let port: number;
  let backendPort: number;
  let targets: string[];

  const options = (tcpKeepAliveSeconds: number): FrontOptions => ({
    gateway: {
      workers: WORKERS,
      tcpKeepAliveSeconds,
      webSocket: { idleTimeoutSeconds: 3, halfCloseTimeoutSeconds: 1 },
      authentication: {
        jwt: {
          providers: [{ name: 'test', keys: { secretRef: { name: 'signing', key: 'key' } } }],
          from: [{ query: 'access_token' }],
        },
      },
    },
    resources: [secret('signing', { key: SIGNING_KEY })],
    rules: { clientConnectionCountRules: [{ type: 'ThrottleByUserIdRule', maxCount: LIMIT }] },
  });

  before(async () => {
    backendPort = await listening(backend.http);
    port = await freePort();
    gateway = await Gateway.start(resourcesFor(port, null, [backendPort], options(60)));
    // Several tokens: it is the user that counts.
    const key = new TextEncoder().encode(SIGNING_KEY);
    const token = (id: number): Promise<string> =>
      new SignJWT({ sub: 'one-user', jti: String(id) }).setProtectedHeader({ alg: 'HS256' }).sign(key);
    targets = await Promise.all([1, 2, 3].map(async (id) => `/?access_token=${await token(id)}`));
  });
  after(async () => {
    await gateway?.stop();
    backend.kill();
    await closed(backend.http);
  });

  const held = async (): Promise<number> => {
    const response = await fetch(`${gateway.adminUrl}/connections`);
    return ((await response.json()) as Counted).counted.connections;
  };

  /** How often the gateway has said that it serves a configuration. */
  const served = (): number => gateway.process.output.split(' snapshot=').length - 1;

  test(`${CLIENTS} clients at once, ${WAYS_TO_LEAVE.length} times`, async (t) => {
    const open = new Set<RawWebSocket>();
    const excesses: number[] = [];
    let most = 0;

    /**
     * The end of one connection may wait, already delivered, behind the beginning of another that took its slot. So
     * what looks like too many is looked at again when everything that had been delivered by then has been read.
     */
    const opened = async (socket: RawWebSocket): Promise<void> => {
      open.add(socket);
      most = Math.max(most, open.size);
      if (open.size <= LIMIT) return;
      const suspects = [...open];
      for (let i = 0; i < 3; i++) await turn();
      const still = suspects.filter((suspect) => suspect.open).length;
      if (still > LIMIT) excesses.push(still);
    };
    const burst = async (): Promise<Map<number | null, number>> => {
      const sockets = Array.from(
        { length: CLIENTS },
        (_, i) =>
          new RawWebSocket({ port, target: targets[i % targets.length]! }, opened, (socket) =>
            open.delete(socket),
          ),
      );
      const answers = await Promise.all(sockets.map((socket) => socket.answered));
      const counts = new Map<number | null, number>();
      for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
      return counts;
    };

    for (const [round, way] of WAYS_TO_LEAVE.entries()) {
      // From none: exactly as many are let in as there may be.
      await until('all slots are free', async () => (await held()) === 0);
      const alone = await burst();
      assert.deepEqual(
        [...alone].sort(),
        [
          [101, LIMIT],
          [429, CLIENTS - LIMIT],
        ],
        `round ${round}: answers from none`,
      );
      assert.equal(open.size, LIMIT);

      // And while these leave, the next ones come.
      const leaving = [...open];
      const coming = burst();
      for (const socket of leaving) {
        if (way === 'RST' || way === 'reload, then RST') socket.reset();
        else if (way === 'FIN' || way === 'FIN and reload') socket.finish();
        else if (way === 'close frame') socket.close();
        else if (way === 'never FIN') socket.neverFinish();
      }
      if (way === 'never FIN') for (const socket of backend.sockets) socket.end();
      if (way === 'backend killed') backend.kill();
      const reloads = served();
      if (way.includes('reload')) {
        await gateway.apply(resourcesFor(port, null, [backendPort], options(61 + round)));
      }
      const meanwhile = await coming;
      for (const status of meanwhile.keys()) {
        // A connection to a backend that is killed may fail; nothing else may.
        const allowed = way === 'backend killed' ? [101, 429, 502, null] : [101, 429];
        assert.ok(
          allowed.includes(status),
          `round ${round} (${way}): answers ${JSON.stringify([...meanwhile])}`,
        );
      }
      if (way.includes('reload')) await until('the new configuration is served', () => served() > reloads);
      t.diagnostic(`${way}: ${JSON.stringify([...meanwhile])}`);
      if (way === 'idle timeout') await until('the idle ones are closed', () => open.size === 0);
      for (const socket of open) socket.reset();
    }
    assert.deepEqual(excesses, [], 'more connections open than the limit allows');
    t.diagnostic(`at most ${most} open as the clients count them`);

    await until('all slots are free', async () => (await held()) === 0);
    assert.deepEqual([...(await burst())].sort(), [
      [101, LIMIT],
      [429, CLIENTS - LIMIT],
    ]);
    for (const socket of open) socket.reset();
    await until('all slots are free', async () => (await held()) === 0);
    await until('the backend has no connection left', () => backend.sockets.size === 0);
    assert.equal(await gateway.metric('sluice_worker_restarts_total'), 0);
  });
});
