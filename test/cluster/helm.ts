/** Helm, as the cluster's programs have it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { skipWithout } from '../support/tools.ts';
import { program } from './components.ts';
import type { CommandResult } from './node.ts';
import { runFolder } from './paths.ts';

/** Nothing of the user's own settings, plugins and repositories. */
export const helmEnvironment: Readonly<Record<string, string>> = {
  HELM_CACHE_HOME: join(runFolder, 'helm/cache'),
  HELM_CONFIG_HOME: join(runFolder, 'helm/config'),
  HELM_DATA_HOME: join(runFolder, 'helm/data'),
};

/** For the `skip` option of tests that need Helm, but no cluster. */
export function skipWithoutHelm(): string | false {
  const path = program('helm');
  return skipWithout('Helm', existsSync(path) ? path : null, 'npm run cluster:build builds it.');
}

/** Runs what needs no cluster, such as `template` and `lint`, to its end. */
export function tryHelm(args: readonly string[]): CommandResult {
  const { status, stdout, stderr, error } = spawnSync(program('helm'), args, {
    encoding: 'utf8',
    env: { ...process.env, ...helmEnvironment, KUBECONFIG: '/dev/null' },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { code: status ?? 1, stdout, stderr };
}

/** What Helm prints; throws, with what it says is wrong, when it fails. */
export function helm(args: readonly string[]): string {
  const { code, stdout, stderr } = tryHelm(args);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
  return stdout;
}
