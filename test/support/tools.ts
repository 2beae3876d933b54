/**
 * Programs that tests use and that npm does not bring: curl, nginx, HAProxy, Chromium, Autobahn.
 * Without one, its tests are skipped on a developer's machine, loudly, and fail where `CI` is `true`.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const LOCATIONS = ['/usr/sbin', '/usr/local/sbin', '/snap/bin'];

/** The path of a program by one of its names, or `null`. */
export function findTool(...names: readonly string[]): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...LOCATIONS];
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here.
      }
    }
  }
  return null;
}

/**
 * For the `skip` option of a test or suite: `false` when the tool is there; otherwise why the test is skipped.
 * Throws in CI, where nothing may be skipped.
 */
export function skipWithout(tool: string, path: string | null, howToGetIt: string): string | false {
  if (path !== null) return false;
  const message = `${tool} is missing, so its tests do not run. ${howToGetIt}`;
  if (process.env.CI === 'true') throw new Error(message);
  process.stderr.write(`\n*** SKIPPED: ${message}\n\n`);
  return message;
}
