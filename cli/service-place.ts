import { isIP } from 'node:net';
import type { Place, ServicePlaces } from '../proxy/pools/local-services.ts';
import { parseHostPort } from './host-port.ts';

export interface ServicePlace {
  /** `namespace/name:port`. */
  readonly service: string;
  readonly place: Place;
}

const SERVICE = /^(?:([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\/)?([a-z0-9](?:[-.a-z0-9]*[a-z0-9])?):(\d{1,5})$/;
const NAME = /^[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?$/;

/** Reads `[NAMESPACE/]NAME:PORT=HOST:PORT`: where a Service is on this machine. `null` when it is not of that form. */
export function parseServicePlace(text: string): ServicePlace | null {
  const [before = '', after = '', ...rest] = text.split('=');
  const match = SERVICE.exec(before);
  const place = parseHostPort(after);
  if (match === null || place === null || rest.length > 0) return null;
  const [, namespace = 'default', name, port] = match;
  if (!isPort(Number(port)) || !isPort(place.port)) return null;
  if (isIP(place.host) === 0 && !NAME.test(place.host)) return null;
  return { service: `${namespace}/${name}:${Number(port)}`, place };
}

function isPort(port: number): boolean {
  return port > 0 && port <= 65_535;
}

/** A Service that is named several times is at all of those places. */
export function servicePlaces(all: readonly ServicePlace[]): ServicePlaces {
  const places = new Map<string, Place[]>();
  for (const { service, place } of all) places.set(service, [...(places.get(service) ?? []), place]);
  return places;
}
