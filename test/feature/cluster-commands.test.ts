/** `sluice validate`, `translate` and `status` on what is in a cluster, as a user with a kubeconfig has them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../kubernetes/index.ts';
import { FakeApiServer } from '../../kubernetes/testing/fake-api-server.ts';
import { READ_TYPES } from '../../operator/sources/cluster/types.ts';
import { run } from '../support/processes.ts';

const CLI = join(import.meta.dirname, '../../cli/main.ts');

const LISTENERS = [{ name: 'web', protocol: 'HTTP', port: 8080 }];
const SERVICE = { name: 'chat', port: 80 };

async function setUp(t: TestContext) {
  const server = new FakeApiServer({ clock: systemClock });
  await server.start();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-cluster-'));
  t.after(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const kubeconfig = join(folder, 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server: server.url } }],
    users: [{ name: 'test', user: { token: 'a' } }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  const sluice = (...args: string[]) => run(process.execPath, [CLI, ...args, '--kubeconfig', kubeconfig]);
  return { server, sluice };
}

function putChat(server: FakeApiServer, namespace: string, status: object = {}): void {
  const metadata = { namespace, name: 'chat', generation: 1 };
  const routes = [{ name: 'all', backend: { pool: 'chat' } }];
  server.put(READ_TYPES.EdgeGateway, { metadata, spec: { listeners: LISTENERS, routes }, ...status });
  server.put(READ_TYPES.BackendPool, { metadata, spec: { targets: [{ serviceRef: SERVICE }] } });
}

test('validate says what is wrong with the objects of a cluster, and translate what they compile to', async (t) => {
  const { server, sluice } = await setUp(t);
  putChat(server, 'a');
  const missing = await sluice('validate', '--cluster');
  assert.equal(missing.code, 1);
  assert.match(missing.output, /^BackendPool a\/chat: spec\.targets\[0\]\.serviceRef: .*Service a\/chat/m);
  assert.match(missing.output, /2 objects, 1 error, 0 warnings/);

  server.put(READ_TYPES.Service, {
    metadata: { namespace: 'a', name: 'chat' },
    spec: { type: 'ClusterIP', ports: [{ name: 'http', port: 80 }] },
  });
  const valid = await sluice('validate', '--cluster');
  assert.deepEqual(
    { code: valid.code, output: valid.output },
    { code: 0, output: '3 objects, 0 errors, 0 warnings\n' },
  );
  const translated = await sluice('translate', '--cluster', '-o', 'json');
  assert.equal(translated.code, 0);
  const [snapshot] = JSON.parse(translated.output);
  assert.deepEqual(snapshot.pools[0].targets, [
    { kind: 'service', namespace: 'a', name: 'chat', port: 80, portName: 'http', weight: 1 },
  ]);
});

test('a namespace limits what is looked at', async (t) => {
  const { server, sluice } = await setUp(t);
  putChat(server, 'a');
  putChat(server, 'b');
  const { output } = await sluice('validate', '--cluster', '-n', 'b');
  assert.match(output, /BackendPool b\/chat/);
  assert.doesNotMatch(output, /a\/chat/);
});

test('status shows each object with what is not well, and says by its code whether all is', async (t) => {
  const { server, sluice } = await setUp(t);
  const none = await sluice('status');
  assert.deepEqual(none, {
    ...none,
    code: 0,
    output: 'found no EdgeGateway, BackendPool or FirewallRuleList\n',
  });

  const condition = (type: string, status: string, message: string) => ({
    type,
    status,
    reason: 'Reason',
    message,
    observedGeneration: 1,
  });
  putChat(server, 'a', {
    status: { conditions: [condition('Programmed', 'False', 'pod chat-1: not ready')] },
  });
  const bad = await sluice('status', '-n', 'a');
  assert.equal(bad.code, 1);
  assert.match(
    bad.output,
    /✗ EdgeGateway a\/chat {2}0 of 0 pods\n {4}Programmed=False \(Reason\): pod chat-1: not ready/,
  );
  assert.match(bad.output, /✗ BackendPool a\/chat {2}no status\n {4}no operator has looked at it yet/);
  const json = await sluice('status', '-o', 'json');
  assert.equal(JSON.parse(json.output).length, 2);
});

test('a cluster that cannot be read is told of at once, with what was refused', async (t) => {
  const { server, sluice } = await setUp(t);
  server.fault = ({ path }) =>
    path.endsWith('/secrets') ? { kind: 'status', status: 403, reason: 'Forbidden' } : undefined;
  const forbidden = await sluice('validate', '--cluster');
  assert.equal(forbidden.code, 1);
  assert.match(forbidden.output, /list secrets: .*403 Forbidden/);
  await server.stop();
  for (const command of [['status'], ['translate', '--cluster']]) {
    const away = await sluice(...command);
    assert.equal(away.code, 1);
    assert.match(away.output, /ECONNREFUSED/);
  }
});

test('neither files nor a cluster, or both, is wrong usage', async (t) => {
  const { sluice } = await setUp(t);
  for (const args of [['validate'], ['translate', '--cluster', '-f', 'a.yaml']]) {
    const { code } = await sluice(...args);
    assert.equal(code, 2, args.join(' '));
  }
});
