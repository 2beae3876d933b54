import { PORTS_OF_PODS } from '../../proxy/pod/places.ts';
import type { Context } from './context.ts';

export interface ServedPort {
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  /** What is spoken there; there may be several. */
  readonly spoken: ReadonlySet<string>;
}

/**
 * The ports on which clients reach the pods, in order. Those of the gateway as it is written are among them even if the
 * snapshot is of an earlier state, so that a gateway with nothing to serve yet has its Service, and its address, too.
 */
export function servedPorts({ gateway, snapshot }: Pick<Context, 'gateway' | 'snapshot'>): ServedPort[] {
  const written = gateway.spec.listeners.map(({ port, protocol }) => ({ port, protocol }));
  const compiled = snapshot.ports.flatMap(({ port, listeners }) =>
    listeners.map(({ protocol }) => ({ port, protocol })),
  );
  const found = new Map<string, ServedPort & { readonly spoken: Set<string> }>();
  for (const { port, protocol: spoken } of [...written, ...compiled]) {
    if (PORTS_OF_PODS.includes(port)) continue;
    const protocol = spoken === 'UDP' ? 'UDP' : 'TCP';
    const key = `${port}/${protocol}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { port, protocol, spoken: new Set([spoken]) });
    else known.spoken.add(spoken);
  }
  return [...found.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}
