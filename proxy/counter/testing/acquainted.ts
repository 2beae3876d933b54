import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { until } from '../../../test/support/until.ts';
import type { LeaseDraft } from '../protocol/lease.ts';

/** Resolves when each of so many members votes for all Leases: any of them may vanish from then on. */
export async function acquainted(directory: string, members: number): Promise<void> {
  const database = new DatabaseSync(join(directory, 'leases.db'), { readOnly: true, timeout: 1_000 });
  const drafts = database.prepare('SELECT draft FROM leases');
  await until('all vote for all', () =>
    drafts.all().every(({ draft }) => {
      const { phase, voters } = JSON.parse(String(draft)) as LeaseDraft;
      return phase === 'held' && voters.length === members;
    }),
  );
  database.close();
}
