import { targetAuthority } from '../pools/address.ts';
import type { Endpoint } from '../pools/endpoint.ts';

/** The Host that an endpoint is asked with. @param authority what the client asked for; empty when it named none */
export function hostFor(endpoint: Endpoint, authority: string): string {
  const { hostHeader } = endpoint.pool;
  if (hostHeader.from === 'Override') return hostHeader.value;
  return hostHeader.from === 'Client' && authority !== '' ? authority : targetAuthority(endpoint);
}
