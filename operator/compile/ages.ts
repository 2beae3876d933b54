import type { Resource } from '../resources/index.ts';
import { compare } from './hostnames.ts';

/**
 * Sorts older objects first, as the Gateway API has it for conflicts between objects; of the same age by namespace
 * and name. Objects in files have no age and come before those that have one.
 */
export function byAge(left: Resource, right: Resource): number {
  return (
    createdMs(left) - createdMs(right) ||
    compare(left.namespace, right.namespace) ||
    compare(left.name, right.name)
  );
}

/** Milliseconds since the epoch; 0 where it is not known. */
export function createdMs({ body: { metadata } }: Resource): number {
  // In a file anything may stand there.
  const written: unknown = metadata.creationTimestamp;
  const timeMs = typeof written === 'string' ? Date.parse(written) : Number.NaN;
  return Number.isNaN(timeMs) ? 0 : timeMs;
}
