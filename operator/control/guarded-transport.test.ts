import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiAnswer, ApiRequest } from '../../kubernetes/index.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { GuardedTransport, NotLeadingError } from './guarded-transport.ts';

function setUp(isLeader: boolean) {
  const sent: string[] = [];
  const inner = {
    send: async ({ method, path }: ApiRequest): Promise<ApiAnswer> => {
      sent.push(`${method} ${path}`);
      return {} as ApiAnswer;
    },
  };
  const metrics = new Metrics();
  const transport = new GuardedTransport(inner, () => isLeader, metrics);
  const send = (method: ApiRequest['method'], path: string) =>
    transport.send({ what: `${method} it`, method, path, headTimeoutMs: 1 });
  const counted = () =>
    metrics.report().flatMap(({ series }) => series.map(({ labels, value }) => [...labels, value].join(' ')));
  return { sent, send, counted };
}

test('who does not lead reads, and does not write', async () => {
  const { sent, send, counted } = setUp(false);
  await send('GET', '/api/v1/namespaces/a/secrets/b');
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    await assert.rejects(send(method, '/api/v1/namespaces/a/secrets/b'), NotLeadingError);
  }
  assert.deepEqual(sent, ['GET /api/v1/namespaces/a/secrets/b']);
  assert.deepEqual(counted(), []);
});

test('writes of a leader are counted by resource and verb', async () => {
  const { send, counted } = setUp(true);
  await send('PATCH', '/api/v1/namespaces/a/secrets/b?fieldManager=x');
  await send('PATCH', '/apis/sluice.dev/v1alpha1/namespaces/a/edgegateways/b/status?force=true');
  await send('POST', '/apis/events.k8s.io/v1/namespaces/a/events');
  await send('DELETE', '/api/v1/namespaces/a');
  await send('GET', '/api/v1/pods');
  assert.deepEqual(counted().sort(), [
    'edgegateways/status patch 1',
    'events post 1',
    'namespaces delete 1',
    'secrets patch 1',
  ]);
});
