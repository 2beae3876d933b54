import type { ObjectStatus } from './conditions.ts';

/**
 * A status with the totals of an earlier one. Totals change with every connection, and are worth a write now and then
 * only: in between the earlier ones stay.
 */
export function withTotalsOf(previous: ObjectStatus | undefined, status: ObjectStatus): ObjectStatus {
  if (previous === undefined || !('totals' in previous) || !('totals' in status)) return status;
  return { ...status, totals: previous.totals };
}
