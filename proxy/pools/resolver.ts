import { Resolver as DnsResolver, lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

export type Family = 'IPv4' | 'IPv6' | 'Any';

export interface Resolution {
  /** Without duplicates, sorted: IPv4 before IPv6. Never empty. */
  readonly addresses: readonly string[];
  /** `null`: the source has none, as a hosts file. */
  readonly ttlMs: number | null;
}

/** Resolves names to addresses. Rejects with {@link ResolveError}. */
export interface NameResolver {
  resolve(name: string, family: Family): Promise<Resolution>;
}

export class ResolveError extends Error {
  override name = 'ResolveError';
}

export interface SystemResolverOptions {
  readonly hostsFile?: string;
  /** DNS servers (`address` or `address:port`) instead of the system's. */
  readonly servers?: readonly string[];
  readonly timeoutMs?: number;
}

/**
 * Resolves as the system would, but with TTLs, in this order:
 *
 * 1. `localhost` and names below it are the loopback address (127.0.0.1, or ::1 where only IPv6 is asked for).
 * 2. The hosts file.
 * 3. DNS, `A` and `AAAA`, the name taken as fully qualified.
 * 4. The system's own resolver, for what DNS does not know: search domains, mDNS, names of container engines.
 *
 * With family `Any`, IPv6 addresses from DNS are left out on a machine that has no IPv6 address but loopback and
 * link-local ones: connecting to them could only fail.
 */
export class SystemResolver implements NameResolver {
  readonly #dns: DnsResolver;
  readonly #hostsFile: string;
  readonly #timeoutMs: number;

  constructor({ hostsFile, servers, timeoutMs = 2000 }: SystemResolverOptions = {}) {
    this.#dns = new DnsResolver({ timeout: timeoutMs, tries: 2 });
    if (servers !== undefined) this.#dns.setServers(servers);
    this.#hostsFile = hostsFile ?? HOSTS_FILE;
    this.#timeoutMs = timeoutMs;
  }

  async resolve(name: string, family: Family): Promise<Resolution> {
    if (name === 'localhost' || name.endsWith('.localhost')) {
      return { addresses: [family === 'IPv6' ? '::1' : '127.0.0.1'], ttlMs: null };
    }
    const local = await this.#fromHostsFile(name, family);
    if (local.length > 0) return { addresses: local, ttlMs: null };
    try {
      return await this.#fromDns(name, family);
    } catch (error) {
      const addresses = await this.#fromSystem(name, family);
      if (addresses.length > 0) return { addresses, ttlMs: null };
      throw error;
    }
  }

  async #fromHostsFile(name: string, family: Family): Promise<readonly string[]> {
    // Read each time: resolutions are rare, and so an edit holds at the next one.
    const text = await readFile(this.#hostsFile, 'utf8').catch(() => '');
    const addresses: string[] = [];
    for (const line of text.split('\n')) {
      const [address = '', ...names] = line.split('#', 1)[0]!.trim().split(/\s+/);
      if (names.some((other) => other.toLowerCase() === name)) addresses.push(address);
    }
    return ordered(addresses, family);
  }

  async #fromDns(name: string, family: Family): Promise<Resolution> {
    const withIPv6 = family === 'IPv6' || (family === 'Any' && hasIPv6());
    const [four, six] = await Promise.allSettled([
      family === 'IPv6' ? [] : this.#dns.resolve4(name, { ttl: true }),
      withIPv6 ? this.#dns.resolve6(name, { ttl: true }) : [],
    ]);
    const records = [four, six].flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    if (records.length === 0) {
      const rejected = [four, six].find((result) => result.status === 'rejected');
      throw new ResolveError(describeDnsError(rejected?.reason, name, family, this.#timeoutMs));
    }
    return {
      addresses: ordered(
        records.map(({ address }) => address),
        family,
      ),
      ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1000,
    };
  }

  /** Bounded, since the system's resolver has its own idea of patience. */
  async #fromSystem(name: string, family: Family): Promise<readonly string[]> {
    const { promise: late, resolve: giveUp } = Promise.withResolvers<[]>();
    const timer = setTimeout(giveUp, 2 * this.#timeoutMs, []);
    const asked = lookup(name, { all: true }).catch(() => []);
    const found = await Promise.race([asked, late]);
    clearTimeout(timer);
    return ordered(
      found.map(({ address }) => address),
      family,
    );
  }
}

const HOSTS_FILE =
  process.platform === 'win32'
    ? `${process.env.SystemRoot ?? 'C:\\Windows'}\\System32\\drivers\\etc\\hosts`
    : '/etc/hosts';

/** Of the family, without duplicates, in a fixed order. */
function ordered(addresses: readonly string[], family: Family): readonly string[] {
  const unique = [...new Set(addresses)].sort();
  const four = family === 'IPv6' ? [] : unique.filter((address) => isIPv4(address));
  const six = family === 'IPv4' ? [] : unique.filter((address) => isIPv6(address));
  return [...four, ...six];
}

function hasIPv6(): boolean {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .some(({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80:'));
}

/** In words, by the codes of Node's DNS resolver. */
export function describeDnsError(error: unknown, name: string, family: Family, timeoutMs: number): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  switch (code) {
    case 'ENOTFOUND':
      return `${name} does not exist (NXDOMAIN)`;
    case undefined:
    case 'ENODATA':
      return `${name} has no ${family === 'Any' ? '' : `${family} `}addresses`;
    case 'ETIMEOUT':
      return `no DNS server answered for ${name} within ${timeoutMs / 1000} s`;
    case 'ECONNREFUSED':
      return `no DNS server can be reached to resolve ${name}`;
    case 'ESERVFAIL':
      return `the DNS server failed to resolve ${name} (SERVFAIL)`;
    case 'EREFUSED':
      return `the DNS server refused to resolve ${name} (REFUSED)`;
    case 'EBADNAME':
      return `${name} is no valid DNS name`;
    default:
      return `${name} could not be resolved (${String(code)})`;
  }
}
