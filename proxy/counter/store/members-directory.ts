import { lstatSync, mkdirSync, statfsSync } from 'node:fs';
import { resolve } from 'node:path';

/** The folder cannot serve, in words for a person. */
export class MembersDirectoryError extends Error {}

/** File systems whose locks another machine may not see, or that lose them: `statfs` type to name (Linux). */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x5346414f, 'AFS'],
  [0x65735546, 'FUSE'],
]);

/** Others than its owner can write. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Makes the folder through which the members on one machine find each other, and says whether it can be trusted:
 * whoever can write there can take part in the count.
 *
 * @returns its absolute path
 * @throws MembersDirectoryError
 */
export function prepareMembersDirectory(path: string): string {
  const directory = resolve(path);
  const wrong = (found: string, expected: string) =>
    new MembersDirectoryError(`members directory ${directory}: found ${found}, expected ${expected}`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const stat = lstatSync(directory);
    if (!stat.isDirectory()) throw wrong('no folder', 'a folder');
    const uid = process.getuid?.() ?? stat.uid;
    if (stat.uid !== uid) throw wrong(`a folder of user ${stat.uid}`, `one of user ${uid}, who runs this`);
    if ((stat.mode & WRITABLE_BY_OTHERS) !== 0)
      throw wrong(
        `mode ${(stat.mode & 0o777).toString(8)}`,
        'one that only its owner can write, such as 700',
      );
    const network = process.platform === 'linux' ? networkFileSystem(directory) : undefined;
    if (network !== undefined)
      throw wrong(
        `a file system of type ${network}`,
        'one of this machine, where locks hold for all processes',
      );
  } catch (error) {
    if (error instanceof MembersDirectoryError) throw error;
    throw wrong((error as Error).message, 'a folder that can be made and read');
  }
  return directory;
}

function networkFileSystem(directory: string): string | undefined {
  return NETWORK_FILE_SYSTEMS.get(statfsSync(directory).type >>> 0);
}
