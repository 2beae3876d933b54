import type { Log } from '../telemetry/log.ts';
import { monotonicClock } from './driver/monotonic-clock.ts';
import { SocketTransport } from './link/socket-transport.ts';
import { Membership } from './membership.ts';
import { DEFAULT_SETTINGS, type Settings } from './protocol/settings.ts';
import { FileStore } from './store/file-store.ts';
import { prepareMembersDirectory } from './store/members-directory.ts';

/**
 * Opens a folder through which several processes of a machine share their counts.
 *
 * @throws MembersDirectoryError, or another Error in words, where the folder cannot serve
 */
export async function openLocalMembers(options: {
  readonly directory: string;
  readonly log: Log;
  readonly settings?: Settings;
}): Promise<Membership> {
  const directory = prepareMembersDirectory(options.directory);
  const { settings = DEFAULT_SETTINGS, log } = options;
  const clock = monotonicClock;
  const store = new FileStore({ directory, settings, clock, log });
  try {
    const transport = await SocketTransport.listen(directory);
    const among = `all members of ${directory}`;
    return new Membership({ place: `p${process.pid}`, among, settings, store, transport, clock, log });
  } catch (error) {
    await store.close();
    throw error;
  }
}
