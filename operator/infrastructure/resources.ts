import type { EdgeGateway } from '../resources/types.ts';
import { canonicalQuantity } from './quantity.ts';

type Resources = NonNullable<EdgeGateway['spec']['infrastructure']>['resources'];
type Amounts = Readonly<Record<string, string | number>>;

/** Without requests an autoscaler would not know what use of the CPU is much. */
const REQUESTS: Amounts = { cpu: '250m', memory: '256Mi' };

/** What a container asks for; of what has only a limit, Kubernetes sets aside as much. */
export function resourcesOf({ requests = {}, limits = {} }: NonNullable<Resources> = {}): object {
  const missing = Object.entries(REQUESTS).filter(([name]) => !(name in limits));
  const all = { ...Object.fromEntries(missing), ...requests };
  return {
    ...(Object.keys(all).length > 0 && { requests: canonical(all) }),
    ...(Object.keys(limits).length > 0 && { limits: canonical(limits) }),
  };
}

function canonical(amounts: Amounts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(amounts).map(([name, amount]) => [name, canonicalQuantity(amount)]),
  );
}
