/** Building the programs of the cluster, once per version, into the cache. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Component, components } from './components.ts';
import { withLock } from './lock.ts';
import { cacheFolder } from './paths.ts';

export function isBuilt(): boolean {
  return components.every(({ folder }) => existsSync(folder));
}

/**
 * Builds what the cache lacks. Several processes may call this at once: one builds, the others wait for it. A
 * component appears in the cache with all its programs or not at all, so that a build that was cut off is not used.
 */
export async function build(say: (line: string) => void): Promise<void> {
  if (isBuilt()) return;
  const cache = cacheFolder();
  mkdirSync(cache, { recursive: true });
  const lock = `build-${createHash('sha256').update(cache).digest('hex').slice(0, 16)}`;
  await withLock(
    lock,
    async () => {
      for (const name of readdirSync(cache).filter((entry) => entry.endsWith(PARTIAL))) {
        rmSync(join(cache, name), { recursive: true, force: true });
      }
      for (const component of components) {
        if (!existsSync(component.folder)) await buildComponent(component, say);
      }
    },
    () => say('waiting for another process that builds the programs of the cluster …'),
  );
}

const PARTIAL = '.partial';

async function buildComponent(component: Component, say: (line: string) => void): Promise<void> {
  const { name, version, folder, module, programs, tags, linkerFlags } = component;
  const partial = join(dirname(folder), `${basename(folder)}${PARTIAL}`);
  mkdirSync(partial);
  for (const [program, goPackage] of Object.entries(programs)) {
    const started = performance.now();
    say(`building ${program} ${version} …`);
    await go(name, module, [
      'build',
      '-buildvcs=false',
      `-tags=${tags}`,
      `-ldflags=${linkerFlags}`,
      `-o=${join(partial, program)}`,
      goPackage,
    ]);
    say(`built ${program} in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  renameSync(partial, folder);
}

async function go(what: string, cwd: string, args: readonly string[]): Promise<void> {
  // Without cgo the programs need no C compiler, and run in images that hold nothing else. Compiling takes minutes of
  // all processors: the lowest priority leaves the machine usable.
  const child = spawn('nice', ['-n', '19', 'go', ...args], {
    cwd,
    env: { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' },
    stdio: ['ignore', 2, 2],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`go ${args[0]} of ${what} failed`);
}
