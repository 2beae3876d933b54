import { isIPv6 } from 'node:net';
import type { Pool } from '../config/snapshot.ts';
import type { Endpoint } from './endpoint.ts';

/** `address:port`, IPv6 addresses in brackets. */
export function formatAddress(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `Host` of a request that is sent under the target's own name: the port is left out where it is the default. */
export function targetAuthority(endpoint: Endpoint): string {
  const defaultPort = isTls(endpoint.pool) ? 443 : 80;
  if (endpoint.port !== defaultPort) return formatAddress(endpoint.hostname, endpoint.port);
  return isIPv6(endpoint.hostname) ? `[${endpoint.hostname}]` : endpoint.hostname;
}

/** Whether connections to the pool's endpoints are TLS. */
export function isTls(pool: Pool): boolean {
  return pool.protocol === 'HTTPS' || pool.protocol === 'TLS';
}
