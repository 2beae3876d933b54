import type { Scenario } from './scenario.ts';

/** Seeds that once failed, and what they had found. They run with every test. */
export const REGRESSIONS: readonly {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly found: string;
}[] = [
  {
    seed: 550,
    scenario: 'everything-fast',
    found: 'an owner decided on while its release may have been written',
  },
  {
    seed: 41,
    scenario: 'everything-fast',
    found: 'a creation carried out late revived a session that was over',
  },
  { seed: 46, scenario: 'everything-fast', found: 'the same, after a pause' },
  {
    seed: 54,
    scenario: 'processes',
    found: 'a new owner waited for ever for a member that had left the record',
  },
  { seed: 6, scenario: 'lease-api', found: 'a deleted member Lease held up a takeover for ever' },
  { seed: 16, scenario: 'rolling', found: 'members took the old owner for the new one after a handover' },
  {
    seed: 2187,
    scenario: 'lease-api',
    found: 'a member Lease put back from memory was ended, its holder detached',
  },
  { seed: 2836, scenario: 'lease-api', found: 'the same for the Lease of a shard' },
  {
    seed: 5010,
    scenario: 'lease-api',
    found: 'a successor agreed to a claim before it knew that it was the holder',
  },
  { seed: 3261, scenario: 'rolling', found: 'an owner stayed sealed for a successor that was stopping' },
  { seed: 512, scenario: 'everything', found: 'a shard was handed over while it was being released' },
];
