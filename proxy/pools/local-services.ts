import { isIP } from 'node:net';
import type { Pool } from '../config/snapshot.ts';
import { type Clock, systemClock } from './clock.ts';
import { type NameResolver, SystemResolver } from './resolver.ts';
import { type AddressSource, fixedSource, NameSource, type ServiceSource } from './sources.ts';

/** Where something listens: a name or an IP address, and a port. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Where Services are outside a cluster, by `namespace/name:port`; several places serve one together. */
export type ServicePlaces = ReadonlyMap<string, readonly Place[]>;

export interface LocalServicesOptions {
  readonly resolver?: NameResolver;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** What pools have by default, as nobody said which fields hold for names that are not theirs. */
const DNS: Pool['dns'] = { minRefreshMs: 1_000, maxRefreshMs: 300_000, family: 'Any' };

/** Services of a process outside a cluster: those that it was told the places of. */
export function localServices(places: ServicePlaces, options: LocalServicesOptions = {}): ServiceSource {
  const { resolver = new SystemResolver(), clock = systemClock, random = Math.random } = options;
  return ({ namespace, name, port, weight }, changed) => {
    const service = `${namespace}/${name}:${port}`;
    const found = places.get(service);
    if (found === undefined) return unknownService(service);
    return allOf(
      found.map((place) =>
        isIP(place.host) === 0
          ? new NameSource({ kind: 'fqdn', name: place.host, port: place.port, weight }, DNS, {
              resolver,
              clock,
              random,
              changed,
              resolved: () => {},
              failed: () => {},
            })
          : fixedSource({ kind: 'ip', address: place.host, port: place.port, weight }),
      ),
    );
  };
}

function unknownService(service: string): AddressSource {
  const problem = `Service ${service} is known inside a cluster only; --service ${service}=HOST:PORT says where it is here`;
  return { state: { addresses: [], problem, settled: true }, drainsLeft: true, stop: () => {} };
}

/** The addresses of all of them; the first problem is enough to begin with. */
function allOf(sources: readonly AddressSource[]): AddressSource {
  return {
    get state() {
      const states = sources.map(({ state }) => state);
      return {
        addresses: states.flatMap(({ addresses }) => addresses),
        problem: states.find(({ problem }) => problem !== null)?.problem ?? null,
        settled: states.every(({ settled }) => settled),
      };
    },
    drainsLeft: sources.every(({ drainsLeft }) => drainsLeft),
    stop() {
      for (const source of sources) source.stop();
    },
  };
}
