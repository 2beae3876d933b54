/**
 * The two ways in which foreign clients and servers meet in a test: directly, and through the gateway. The same
 * scenario runs on both, so that whatever differs is the gateway's doing.
 */
import type { BackendPoolSpec } from '../../operator/resources/generated/backend-pool.ts';
import type { EdgeGatewaySpec } from '../../operator/resources/generated/edge-gateway.ts';
import type { FirewallRuleListSpec } from '../../operator/resources/generated/firewall-rule-list.ts';
import { backendPool, demoTls, edgeGateway, Gateway, type Resource, ruleList, tlsSecret } from './gateway.ts';
import { freePort } from './ports.ts';

export interface FrontOptions {
  /** Further settings of the pool. */
  readonly pool?: Partial<BackendPoolSpec>;
  /** Further settings of the gateway. */
  readonly gateway?: Partial<EdgeGatewaySpec>;
  readonly rules?: Omit<FirewallRuleListSpec, 'targetRefs'>;
  /** Further resources, such as Secrets that the above refer to. */
  readonly resources?: readonly Resource[];
  /** Also listens with TLS, with the certificate of {@link demoTls}. */
  readonly tls?: boolean;
}

/** Where clients connect to. */
export interface Front extends AsyncDisposable {
  readonly port: number;
  /** `null` without TLS. */
  readonly tlsPort: number | null;
  /** `http://127.0.0.1:…`, without a slash at the end. */
  readonly url: string;
  /** `ws://127.0.0.1:…`, without a slash at the end. */
  readonly wsUrl: string;
  /** `null` when clients connect directly. */
  readonly gateway: Gateway | null;
}

export interface Way {
  readonly name: string;
  /** Whether several backends can be reached through one front. */
  readonly balances: boolean;
  /** Opens a front to the backends on these ports of 127.0.0.1. */
  open(backendPorts: readonly number[], options?: FrontOptions): Promise<Front>;
}

const direct: Way = {
  name: 'direct',
  balances: false,
  async open([port]) {
    if (port === undefined) throw new Error('No backend');
    return front(port, null, null);
  },
};

const throughGateway: Way = {
  name: 'through the gateway',
  balances: true,
  async open(backendPorts, options = {}) {
    const port = await freePort();
    const tlsPort = options.tls ? await freePort() : null;
    const gateway = await Gateway.start(resourcesFor(port, tlsPort, backendPorts, options));
    return front(port, tlsPort, gateway);
  },
};

/** `SLUICE_TEST_WAY=direct` answers whether it is the test itself that is wrong. */
export const ways: readonly Way[] =
  process.env.SLUICE_TEST_WAY === 'direct' ? [direct] : [direct, throughGateway];

/** A gateway `test` with a listener `web` (and `secure`), a route `all` and a pool `backend`. */
export function resourcesFor(
  port: number,
  tlsPort: number | null,
  backendPorts: readonly number[],
  options: FrontOptions = {},
): Resource[] {
  const listeners: EdgeGatewaySpec['listeners'] = [{ name: 'web', protocol: 'HTTP', port }];
  if (tlsPort !== null) {
    const tls = { certificateRefs: [{ name: 'demo-tls' }] };
    listeners.push({ name: 'secure', protocol: 'HTTPS', port: tlsPort, tls });
  }
  const resources = [
    edgeGateway({
      workers: 2,
      listeners,
      routes: [{ name: 'all', backend: { pool: 'backend' } }],
      ...options.gateway,
    }),
    backendPool('backend', {
      targets: backendPorts.map((backendPort) => ({ ip: '127.0.0.1', port: backendPort })),
      ...options.pool,
    }),
    ...(options.resources ?? []),
  ];
  if (options.rules !== undefined) resources.push(ruleList(options.rules));
  if (tlsPort !== null) {
    resources.push(tlsSecret('demo-tls', demoTls.certificate, demoTls.key));
  }
  return resources;
}

function front(port: number, tlsPort: number | null, gateway: Gateway | null): Front {
  return {
    port,
    tlsPort,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}`,
    gateway,
    async [Symbol.asyncDispose]() {
      await gateway?.stop();
    },
  };
}
