/**
 * What is wrong with a gateway's surroundings stands in its status, in words that say what to do, and is gone from
 * there once the cause is gone, without anybody touching the gateway.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { connect } from 'node:tls';
import { TestAuthority } from '../support/certificates.ts';
import { until } from '../support/until.ts';
import { Cluster, type TestNamespace } from './cluster.ts';
import { type Condition, conditionsOf } from './e2e/conditions.ts';
import { addressOf, echoObjects } from './e2e/fleet-gateway.ts';
import { get } from './e2e/http.ts';
import { Installation } from './e2e/installation.ts';
import { skipWithoutCluster } from './requirements.ts';

const GATEWAY = 'healing';
const [HTTP, HTTPS] = [8080, 8443];
const NAME = 'gateway.example';
/** The operator looks at the clock at least once a minute. */
const CLOCK_MS = 90_000;
const HEAL_MS = 60_000;
/** Long enough for the certificate to be served before it expires. */
const VALID_MS = 20_000;

suite('status says what is wrong, until it is right', { skip: skipWithoutCluster() }, () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let namespace: TestNamespace;
  let authority: TestAuthority;
  let address: string;

  before(async () => {
    cluster = stack.use(await Cluster.start());
    stack.use(await Installation.install(cluster));
    namespace = stack.use(await cluster.namespace('healing'));
    authority = await TestAuthority.create();
    await cluster.applyObjects(
      [...echoObjects(1), pool('echo', { serviceRef: { name: 'echo', port: 80 } })],
      namespace.name,
    );
    await cluster.wait('deployment', 'echo', 'condition=Available', namespace.name);
    await cluster.applyObjects([gateway([route('/', 'echo')])], namespace.name);
    await cluster.wait('edgegateway', GATEWAY, 'condition=Programmed', namespace.name);
    address = await addressOf(cluster, namespace.name, GATEWAY);
    await until('it answers', () =>
      answers('/').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
  });

  after(() => stack.disposeAsync());

  const answers = (path: string) => get(cluster, address, HTTP, path);

  /** Resolves with a condition of an object, or of its first listener of that name, once it is as it should be. */
  function condition(
    kind: string,
    name: string,
    wanted: Pick<Condition, 'type' | 'status'> & Partial<Pick<Condition, 'reason'>>,
    { listener, timeoutMs = HEAL_MS }: { readonly listener?: string; readonly timeoutMs?: number } = {},
  ): Promise<Condition> {
    const place = listener === undefined ? '' : ` of listener ${listener}`;
    return until(
      `${kind} ${name} has ${JSON.stringify(wanted)}${place}`,
      async () => {
        const object = await cluster.get(kind, name, namespace.name);
        return conditionsOf(object).find(
          (found) =>
            found.listener === listener &&
            found.type === wanted.type &&
            found.status === wanted.status &&
            (wanted.reason === undefined || found.reason === wanted.reason),
        );
      },
      timeoutMs,
    );
  }

  test('a pool that is not there yet', async () => {
    await cluster.applyObjects([gateway([route('/late', 'late'), route('/', 'echo')])], namespace.name);
    const wrong = { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' };
    const { message } = await condition('edgegateway', GATEWAY, wrong);
    assert.match(message, /BackendPool .*late/);
    assert.equal((await answers('/late')).status, 500);
    assert.equal((await answers('/')).status, 200);

    await cluster.applyObjects([pool('late', { serviceRef: { name: 'echo', port: 80 } })], namespace.name);
    await condition('edgegateway', GATEWAY, { type: 'ResolvedRefs', status: 'True' });
    await until('it is served', async () => (await answers('/late')).status === 200);
  });

  test('a Service that is not there yet', async () => {
    await cluster.applyObjects([pool('late', { serviceRef: { name: 'late', port: 80 } })], namespace.name);
    const wrong = { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' };
    const { message } = await condition('backendpool', 'late', wrong);
    assert.match(message, /Service .*late/);

    const [service] = echoObjects(1) as [object, object];
    await cluster.applyObjects([{ ...service, metadata: { name: 'late' } }], namespace.name);
    await condition('backendpool', 'late', { type: 'ResolvedRefs', status: 'True' });
    await condition('backendpool', 'late', { type: 'Healthy', status: 'True' });
    await until('it is served', async () => (await answers('/late')).status === 200);
  });

  test('a pool whose name cannot be resolved', async () => {
    const fqdn = `dns.${namespace.name}.svc.cluster.local`;
    await cluster.applyObjects([pool('late', { fqdn, port: 8080 })], namespace.name);
    const { message } = await condition('backendpool', 'late', { type: 'Healthy', status: 'False' });
    assert.match(message, new RegExp(`${fqdn} does not exist \\(NXDOMAIN\\)`));
    assert.equal((await answers('/late')).status, 503);

    const [service] = echoObjects(1) as [{ spec: object }, object];
    const headless = { ...service, metadata: { name: 'dns' }, spec: { ...service.spec, clusterIP: 'None' } };
    await cluster.applyObjects([headless], namespace.name);
    await condition('backendpool', 'late', { type: 'Healthy', status: 'True' });
    await until('it is served', async () => (await answers('/late')).status === 200);
  });

  test('a Secret that appears later, and a certificate that expires', async () => {
    const secure = {
      name: 'secure',
      protocol: 'HTTPS',
      port: HTTPS,
      tls: { certificateRefs: [{ name: 'late-tls' }] },
    };
    await cluster.applyObjects([gateway([route('/', 'echo')], [secure])], namespace.name);
    const wrong = { type: 'ResolvedRefs', status: 'False', reason: 'InvalidCertificateRef' };
    const missing = await condition('edgegateway', GATEWAY, wrong, { listener: 'secure' });
    assert.match(missing.message, /Secret .*late-tls/);
    assert.equal((await answers('/')).status, 200);

    await cluster.applyObjects([await tlsSecret(new Date(Date.now() + VALID_MS))], namespace.name);
    await condition('edgegateway', GATEWAY, { type: 'ResolvedRefs', status: 'True' }, { listener: 'secure' });
    const first = await until('TLS is served', () => servedCertificate().catch(() => null));

    // Nothing is written from here on: only the time passes.
    const expired = await condition('edgegateway', GATEWAY, wrong, {
      listener: 'secure',
      timeoutMs: CLOCK_MS,
    });
    assert.match(expired.message, /late-tls/);
    assert.match(expired.message, /expired/i);

    await cluster.applyObjects([await tlsSecret()], namespace.name);
    await condition('edgegateway', GATEWAY, { type: 'ResolvedRefs', status: 'True' }, { listener: 'secure' });
    await until('the new certificate is served', async () => (await servedCertificate()) !== first);
  });

  test('a rule list whose gateway is not there yet', async () => {
    const list = {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'FirewallRuleList',
      metadata: { name: 'early' },
      spec: {
        targetRefs: [{ group: 'sluice.dev', kind: 'EdgeGateway', name: 'later' }],
        clientConnectionCountRules: [{ type: 'ThrottleByClientIpRule', maxCount: 1 }],
      },
    };
    await cluster.applyObjects([list], namespace.name);
    const wrong = { type: 'Accepted', status: 'False', reason: 'TargetNotFound' };
    const { message } = await condition('firewallrulelist', 'early', wrong);
    assert.match(message, /later/);
    await cluster.applyObjects(
      [{ ...gateway([route('/', 'echo')]), metadata: { name: 'later' } }],
      namespace.name,
    );
    await condition('firewallrulelist', 'early', { type: 'Accepted', status: 'True' });
    // One pod counts for all.
    await condition('firewallrulelist', 'early', { type: 'Enforced', status: 'True' });
  });

  test('pods that no node has room for', async () => {
    const greedy = { resources: { requests: { cpu: '1000' } } };
    await cluster.applyObjects([gateway([route('/', 'echo')], [], greedy)], namespace.name);
    const { message } = await condition('edgegateway', GATEWAY, { type: 'Programmed', status: 'False' });
    assert.match(message, /cpu/i);
    assert.equal((await answers('/')).status, 200, 'the pod that there was serves on');
    await cluster.applyObjects([gateway([route('/', 'echo')])], namespace.name);
    await condition('edgegateway', GATEWAY, { type: 'Programmed', status: 'True' });
  });

  async function tlsSecret(notAfter?: Date): Promise<object> {
    const { chainPem, keyPem } = await authority.issue({
      dnsNames: [NAME],
      ...(notAfter === undefined ? {} : { notAfter }),
    });
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'late-tls' },
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': chainPem, 'tls.key': keyPem },
    };
  }

  /** The fingerprint of what a client is shown. */
  async function servedCertificate(): Promise<string> {
    const socket = await cluster.dial(address, HTTPS);
    return new Promise((resolve, reject) => {
      const secure = connect({ socket, servername: NAME, rejectUnauthorized: false });
      secure.on('error', reject);
      secure.on('secureConnect', () => {
        resolve(secure.getPeerCertificate().fingerprint256);
        secure.destroy();
      });
    });
  }
});

function route(path: string, backend: string): object {
  return {
    name: `to-${backend}`,
    match: { paths: [{ type: 'PathPrefix', value: path }] },
    backend: { pool: backend },
  };
}

function gateway(
  routes: readonly object[],
  listeners: readonly object[] = [],
  infrastructure: object = {},
): object {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EdgeGateway',
    metadata: { name: GATEWAY },
    spec: {
      replicas: 1,
      workers: 1,
      listeners: [{ name: 'web', protocol: 'HTTP', port: HTTP }, ...listeners],
      routes,
      infrastructure,
      drain: { timeoutSeconds: 1, jitterSeconds: 1 },
    },
  };
}

function pool(name: string, target: object): object {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'BackendPool',
    metadata: { name },
    spec: { targets: [target], probe: { path: '/healthz', intervalSeconds: 1 } },
  };
}
