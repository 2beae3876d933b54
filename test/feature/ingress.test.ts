/**
 * Ingresses through the real compiler and the real proxy. The two tables are those of the Kubernetes documentation
 * (https://kubernetes.io/docs/concepts/services-networking/ingress/), row by row.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { after, before, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { SignJWT } from 'jose';
import { WebSocket, WebSocketServer } from 'ws';
import type { Ingress } from '../../operator/resources/index.ts';
import { TestAuthority } from '../support/certificates.ts';
import { backendPool, edgeGateway, Gateway, type Resource, secret, tlsSecret } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { freePort } from '../support/ports.ts';

type GatewaySpec = Parameters<typeof edgeGateway>[0];
type Rule = NonNullable<Ingress['spec']['rules']>[number];
type Path = NonNullable<Rule['http']>['paths'][number];

const SERVICES = ['first', 'second', 'third', 'default'] as const;
type ServiceName = (typeof SERVICES)[number];

const KEY = 'a signing key that is long enough for HS256';

/** A server for each Service, which answers with the Service's name. */
const servers = new Map<ServiceName, { server: Server; webSockets: WebSocketServer; port: number }>();

before(async () => {
  for (const name of SERVICES) {
    const server = createServer((_request, response) => response.end(name));
    servers.set(name, { server, webSockets: new WebSocketServer({ server }), port: await listening(server) });
  }
});
after(async () => {
  for (const { server, webSockets } of servers.values()) {
    for (const socket of webSockets.clients) socket.terminate();
    await closed(server);
  }
});

const backend = (name: ServiceName): Path['backend'] => ({ service: { name, port: { number: 80 } } });

function rule(host: string | undefined, ...paths: [Path['pathType'], string, ServiceName][]): Rule {
  return {
    ...(host === undefined ? {} : { host }),
    http: { paths: paths.map(([pathType, path, name]) => ({ pathType, path, backend: backend(name) })) },
  };
}

function ingress(name: string, spec: Ingress['spec'], annotations: Record<string, string> = {}): Resource {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, annotations },
    spec: { ingressClassName: 'sluice', ...spec },
  } as Resource;
}

const ingressClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'sluice' },
  spec: {
    controller: 'sluice.dev/gateway-controller',
    parameters: {
      apiGroup: 'sluice.dev',
      kind: 'EdgeGateway',
      scope: 'Namespace',
      namespace: 'default',
      name: 'test',
    },
  },
} as Resource;

interface Started {
  readonly gateway: Gateway;
  readonly port: number;
}

/** A gateway that serves the Ingresses on a port without TLS; other resources come along. */
async function start(resources: readonly Resource[], spec: Partial<GatewaySpec> = {}): Promise<Started> {
  const port = await freePort();
  const gateway = edgeGateway({
    workers: 1,
    drain: { timeoutSeconds: 0, jitterSeconds: 0 },
    ...spec,
    listeners: [{ name: 'web', protocol: 'HTTP', port }, ...(spec.listeners ?? [])],
  });
  const places = [...servers].flatMap(([name, server]) => [
    '--service',
    `default/${name}:80=127.0.0.1:${server.port}`,
  ]);
  return { gateway: await Gateway.start([gateway, ingressClass, ...resources], {}, places), port };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  /** The common name of the server's certificate. */
  readonly certificate: string | null;
}

interface Asked {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly tls?: { readonly ca: string; readonly servername: string };
}

async function ask(
  port: number,
  host: string,
  { path = '/', headers = {}, tls }: Asked = {},
): Promise<Answer> {
  const common = { host: '127.0.0.1', port, path, headers: { host, ...headers }, agent: false };
  const asked =
    tls === undefined
      ? httpRequest(common)
      : httpsRequest({ ...common, ...tls, checkServerIdentity: () => undefined });
  asked.end();
  const [response] = await once(asked, 'response');
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  const certificate =
    tls === undefined ? null : ((response.socket as TLSSocket).getPeerCertificate().subject?.CN ?? null);
  return { status: response.statusCode, body, headers: response.headers, certificate: String(certificate) };
}

/** What serves a request: a Service, or a status of the gateway's own. */
async function servedBy(port: number, host: string, asked: Asked = {}): Promise<string | number> {
  const { status, body } = await ask(port, host, asked);
  return status === 200 ? body : status;
}

describe('which requests match', () => {
  const paths: [
    kind: string,
    paths: [Path['pathType'], string][],
    requests: string[],
    matches: ServiceName,
  ][] = [
    ['Prefix', [['Prefix', '/']], ['/', '/any', '/any/path'], 'first'],
    ['Exact', [['Exact', '/foo']], ['/foo'], 'first'],
    ['Exact', [['Exact', '/foo']], ['/bar'], 'default'],
    ['Exact', [['Exact', '/foo']], ['/foo/'], 'default'],
    ['Exact', [['Exact', '/foo/']], ['/foo'], 'default'],
    ['Prefix', [['Prefix', '/foo']], ['/foo', '/foo/'], 'first'],
    ['Prefix', [['Prefix', '/foo/']], ['/foo', '/foo/'], 'first'],
    ['Prefix', [['Prefix', '/aaa/bb']], ['/aaa/bbb'], 'default'],
    ['Prefix', [['Prefix', '/aaa/bbb']], ['/aaa/bbb'], 'first'],
    ['Prefix', [['Prefix', '/aaa/bbb/']], ['/aaa/bbb'], 'first'],
    ['Prefix', [['Prefix', '/aaa/bbb']], ['/aaa/bbb/'], 'first'],
    ['Prefix', [['Prefix', '/aaa/bbb']], ['/aaa/bbb/ccc'], 'first'],
    ['Prefix', [['Prefix', '/aaa/bbb']], ['/aaa/bbbxyz'], 'default'],
    [
      'Prefix',
      [
        ['Prefix', '/'],
        ['Prefix', '/aaa'],
      ],
      ['/aaa/ccc'],
      'second',
    ],
    [
      'Prefix',
      [
        ['Prefix', '/'],
        ['Prefix', '/aaa'],
        ['Prefix', '/aaa/bbb'],
      ],
      ['/aaa/bbb'],
      'third',
    ],
    [
      'Prefix',
      [
        ['Prefix', '/'],
        ['Prefix', '/aaa'],
        ['Prefix', '/aaa/bbb'],
      ],
      ['/ccc'],
      'first',
    ],
    ['Prefix', [['Prefix', '/aaa']], ['/ccc'], 'default'],
    [
      'Mixed',
      [
        ['Prefix', '/foo'],
        ['Exact', '/foo'],
      ],
      ['/foo'],
      'second',
    ],
    // Up to the controller: here the same as Prefix.
    ['ImplementationSpecific', [['ImplementationSpecific', '/foo']], ['/foo', '/foo/', '/foo/bar'], 'first'],
    ['ImplementationSpecific', [['ImplementationSpecific', '/foo']], ['/foobar', '/fo'], 'default'],
  ];
  const hosts: [rule: string, host: string, matches: boolean][] = [
    ['*.foo.com', 'bar.foo.com', true],
    ['*.foo.com', 'baz.bar.foo.com', false],
    ['*.foo.com', 'foo.com', false],
    // What the text around the table says.
    ['bar.foo.com', 'bar.foo.com', true],
    ['bar.foo.com', 'BAR.foo.com:8080', true],
    ['bar.foo.com', 'baz.foo.com', false],
    ['bar.foo.com', 'a.bar.foo.com', false],
  ];
  /** Each row has a domain of its own, so that all rows are served at once. */
  const domainOf = (name: string, row: number): string => name.replace('foo', `foo-${row}`);
  let started: Started;

  before(async () => {
    const rules = paths.map(([, listed], row) =>
      rule(
        `row-${row}.example.com`,
        ...listed.map(([type, path], index): [Path['pathType'], string, ServiceName] => [
          type,
          path,
          SERVICES[index]!,
        ]),
      ),
    );
    for (const [row, [host]] of hosts.entries()) {
      rules.push(rule(domainOf(host, row), ['Prefix', '/', 'first']));
    }
    started = await start([ingress('table', { rules, defaultBackend: backend('default') })]);
  });
  after(() => started.gateway.stop());

  for (const [row, [kind, listed, requests, expected]] of paths.entries()) {
    const written = listed.map(([type, path]) => (kind === 'Mixed' ? `${path} (${type})` : path)).join(', ');
    test(`${kind} ${written}: ${requests.join(', ')} → ${expected}`, async () => {
      for (const path of requests) {
        assert.equal(await servedBy(started.port, `row-${row}.example.com`, { path }), expected, path);
      }
    });
  }

  for (const [row, [written, host, matches]] of hosts.entries()) {
    test(`host ${written}: ${host} ${matches ? 'matches' : 'does not match'}`, async () => {
      assert.equal(await servedBy(started.port, domainOf(host, row)), matches ? 'first' : 'default');
    });
  }

  test('an exact host comes before a wildcard, and that before a rule for every host', async () => {
    const { gateway, port } = await start([
      ingress('hosts', {
        rules: [
          rule(undefined, ['Prefix', '/', 'third']),
          rule('*.foo.com', ['Prefix', '/', 'second']),
          rule('bar.foo.com', ['Prefix', '/', 'first']),
        ],
      }),
    ]);
    await using _ = gateway;
    assert.equal(await servedBy(port, 'bar.foo.com'), 'first');
    assert.equal(await servedBy(port, 'baz.foo.com'), 'second');
    assert.equal(await servedBy(port, 'a.baz.foo.com'), 'third');
    assert.equal(await servedBy(port, 'foo.com'), 'third');
  });
});

test('without rules the default backend gets everything, but for the routes of the gateway', async () => {
  const { gateway, port } = await start(
    [
      ingress('everything', { defaultBackend: backend('default') }),
      backendPool('own', { targets: [{ ip: '127.0.0.1', port: servers.get('first')!.port }] }),
    ],
    { routes: [{ name: 'own', match: { paths: [{ value: '/own' }] }, backend: { pool: 'own' } }] },
  );
  await using _ = gateway;
  assert.equal(await servedBy(port, 'any.example.com', { path: '/deep/down' }), 'default');
  assert.equal(await servedBy(port, '203.0.113.1'), 'default');
  assert.equal(await servedBy(port, 'any.example.com', { path: '/own/too' }), 'first');
});

test('of two Ingresses for the same host and path the first holds, and the other is told', async () => {
  const { gateway, port } = await start([
    ingress('b', { rules: [rule('a.example.com', ['Prefix', '/', 'second'], ['Prefix', '/b', 'third'])] }),
    ingress('a', { rules: [rule('a.example.com', ['Prefix', '/', 'first'])] }),
  ]);
  await using _ = gateway;
  assert.equal(await servedBy(port, 'a.example.com'), 'first');
  assert.equal(await servedBy(port, 'a.example.com', { path: '/b' }), 'third');
  const { problems } = (await (await fetch(`${gateway.adminUrl}/config`)).json()) as {
    problems: { text: string }[];
  };
  assert.deepEqual(
    problems.map(({ text }) => /Ingress default\/b: \S+/.exec(text)?.[0]),
    ['Ingress default/b: spec.rules[0].http.paths[0]:'],
  );
});

test('Ingresses of other classes are not served', async () => {
  const other = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: 'other' },
    spec: { controller: 'example.com/controller' },
  } as Resource;
  const { gateway, port } = await start([
    other,
    ingress('of-others', { ingressClassName: 'other', defaultBackend: backend('default') }),
    ingress('ours', { rules: [rule('a.example.com', ['Prefix', '/', 'first'])] }),
  ]);
  await using _ = gateway;
  assert.equal(await servedBy(port, 'a.example.com'), 'first');
  assert.equal(await servedBy(port, 'b.example.com'), 404);
});

describe('TLS', () => {
  let authority: TestAuthority;
  let started: Started;
  let tlsPort: number;
  const over = (servername: string): Asked => ({ tls: { ca: authority.caPem, servername } });

  before(async () => {
    authority = await TestAuthority.create();
    tlsPort = await freePort();
    const issue = async (name: string, ...dnsNames: string[]): Promise<Resource> => {
      const { chainPem, keyPem } = await authority.issue({ commonName: name, dnsNames });
      return tlsSecret(name, chainPem, keyPem);
    };
    started = await start(
      [
        await issue('own', 'edge.example.com'),
        await issue('shop', 'shop.example.com'),
        await issue('wild', '*.wild.example.com'),
        ingress('shop', {
          tls: [{ hosts: ['shop.example.com'], secretName: 'shop' }],
          rules: [rule('shop.example.com', ['Prefix', '/', 'first'])],
        }),
        ingress(
          'wild',
          {
            tls: [{ hosts: ['*.wild.example.com'], secretName: 'wild' }],
            rules: [
              rule('*.wild.example.com', ['Prefix', '/', 'second']),
              rule('plain.example.com', ['Prefix', '/', 'second']),
            ],
          },
          { 'sluice.dev/ssl-redirect': 'true' },
        ),
        ingress('rest', { defaultBackend: backend('default') }),
      ],
      {
        listeners: [
          {
            name: 'secure',
            protocol: 'HTTPS',
            port: tlsPort,
            tls: { certificateRefs: [{ name: 'own' }] },
          },
        ],
      },
    );
  });
  after(() => started.gateway.stop());

  test('the certificate of a host is that of its Ingress, and any other host has that of the gateway', async () => {
    const cases: [host: string, certificate: string, service: ServiceName][] = [
      ['shop.example.com', 'shop', 'first'],
      ['a.wild.example.com', 'wild', 'second'],
      ['b.a.wild.example.com', 'own', 'default'],
      ['wild.example.com', 'own', 'default'],
      ['edge.example.com', 'own', 'default'],
      ['plain.example.com', 'own', 'second'],
    ];
    for (const [host, certificate, service] of cases) {
      const answer = await ask(tlsPort, host, over(host));
      assert.deepEqual([answer.certificate, answer.body], [certificate, service], host);
    }
  });

  test('a client that asks for no host gets the certificate of the gateway', async () => {
    const answer = await ask(tlsPort, 'edge.example.com', over(''));
    assert.equal(answer.certificate, 'own');
  });

  test('a connection that was made for one host gets nothing of another', async () => {
    assert.equal(await servedBy(tlsPort, 'shop.example.com', over('a.wild.example.com')), 421);
  });

  test('hosts with TLS redirect to it where the annotation says so, others do not', async () => {
    const answer = await ask(started.port, `a.wild.example.com:${started.port}`, { path: '/a?b=c' });
    assert.equal(answer.status, 308);
    assert.equal(answer.headers.location, `https://a.wild.example.com:${tlsPort}/a?b=c`);
    assert.equal(await servedBy(started.port, 'plain.example.com'), 'second');
    assert.equal(await servedBy(started.port, 'shop.example.com'), 'first');
    assert.equal(await servedBy(tlsPort, 'a.wild.example.com', over('a.wild.example.com')), 'second');
  });
});

test("the gateway's authentication holds for Ingresses, unless one switches it off", async () => {
  const { gateway, port } = await start(
    [
      secret('signing', { key: KEY }),
      ingress('closed', { rules: [rule('closed.example.com', ['Prefix', '/', 'first'])] }),
      ingress(
        'open',
        { rules: [rule('open.example.com', ['Prefix', '/', 'second'])] },
        { 'sluice.dev/authentication': 'None' },
      ),
    ],
    {
      authentication: {
        jwt: { providers: [{ name: 'app', keys: { secretRef: { name: 'signing', key: 'key' } } }] },
      },
    },
  );
  await using _ = gateway;
  const token = await new SignJWT({ sub: 'ada' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.from(KEY));
  const headers = { authorization: `Bearer ${token}` };
  assert.equal(await servedBy(port, 'closed.example.com'), 401);
  assert.equal(await servedBy(port, 'closed.example.com', { headers }), 'first');
  assert.equal(await servedBy(port, 'open.example.com'), 'second');
});

test('a BackendPool takes the place of Services, or is a backend itself', async () => {
  const { gateway, port } = await start([
    backendPool('pool', { targets: [{ ip: '127.0.0.1', port: servers.get('third')!.port }] }),
    ingress(
      'instead',
      { rules: [rule('instead.example.com', ['Prefix', '/', 'first'])] },
      { 'sluice.dev/backend-pool': 'pool' },
    ),
    ingress(
      'dangling',
      { rules: [rule('dangling.example.com', ['Prefix', '/', 'first'])] },
      { 'sluice.dev/backend-pool': 'nowhere' },
    ),
    ingress('resource', {
      defaultBackend: { resource: { apiGroup: 'sluice.dev', kind: 'BackendPool', name: 'pool' } },
    }),
  ]);
  await using _ = gateway;
  assert.equal(await servedBy(port, 'instead.example.com'), 'third');
  assert.equal(await servedBy(port, 'dangling.example.com'), 500);
  assert.equal(await servedBy(port, 'any.example.com'), 'third');
});

test('rule lists hold for the Ingresses that name them and that they name', async () => {
  const list = (name: string, ...targets: string[]): Resource =>
    ({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'FirewallRuleList',
      metadata: { name },
      spec: {
        targetRefs: targets.map((target) => ({ group: 'networking.k8s.io', kind: 'Ingress', name: target })),
        clientConnectionCountRules: [{ type: 'ThrottleByClientIpRule', maxCount: 1 }],
      },
    }) as Resource;
  const host = (name: string) => ({ rules: [rule(`${name}.example.com`, ['Prefix', '/', 'first'])] });
  const { gateway, port } = await start([
    list('one', 'by-target'),
    ingress('by-target', host('by-target')),
    ingress('by-annotation', host('by-annotation'), { 'sluice.dev/firewall-rule-lists': 'one' }),
    ingress('free', host('free')),
  ]);
  await using _ = gateway;
  const sockets: WebSocket[] = [];
  const attempt = async (name: string): Promise<number> => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: `${name}.example.com` } });
    sockets.push(socket);
    socket.on('error', () => {});
    const refused = once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number);
    return Promise.race([once(socket, 'open').then(() => 101), refused]);
  };
  assert.equal(await attempt('by-target'), 101);
  assert.equal(await attempt('by-target'), 429);
  // The list counts a client once, wherever it holds.
  assert.equal(await attempt('by-annotation'), 429);
  assert.equal(await attempt('free'), 101);
  assert.equal(await attempt('free'), 101);
  for (const socket of sockets) socket.terminate();
});
