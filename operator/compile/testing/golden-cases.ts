import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Diagnostic, loadResources, type Resource } from '../../resources/index.ts';
import type { Environment } from '../environment.ts';

export const GOLDEN = join(import.meta.dirname, '../../../test/golden');
export const CASES = join(GOLDEN, 'compile');

/** The time at which golden cases are compiled; the shared certificates are made for it. */
export const GOLDEN_NOW = Date.UTC(2026, 5, 1);

/** One file of a case: its own, or one of those that cases share. */
export interface GoldenFile {
  readonly name: string;
  readonly text: string;
}

/** Names of the cases, sorted. */
export function goldenNames(): string[] {
  return readdirSync(CASES)
    .filter((file) => file.endsWith('.in.yaml'))
    .map((file) => file.slice(0, -'.in.yaml'.length))
    .sort();
}

/** A case begins with `# with: chat-tls, authorities` where it needs files of the folder `shared`. */
export function goldenFiles(name: string): GoldenFile[] {
  return filesOf(CASES, `${name}.in.yaml`);
}

/** The file, and those of the folder `shared` that it names. */
export function filesOf(folder: string, file: string): GoldenFile[] {
  const text = readFileSync(join(folder, file), 'utf8');
  const shared = /^# with: (.*)$/m.exec(text)?.[1]?.split(', ') ?? [];
  return [
    { name: file, text },
    ...shared.map((other) => ({
      name: `${other}.yaml`,
      text: readFileSync(join(GOLDEN, 'shared', `${other}.yaml`), 'utf8'),
    })),
  ];
}

/** A case says `# environment: Cluster` where it is compiled as in a cluster. */
export function goldenEnvironment(text: string): Environment {
  return /^# environment: Cluster$/m.test(text) ? 'Cluster' : 'Standalone';
}

export function loadFiles(files: readonly GoldenFile[]): {
  resources: Resource[];
  diagnostics: Diagnostic[];
} {
  const loaded = files.map(({ name, text }) => loadResources(text, name));
  return {
    resources: loaded.flatMap(({ resources }) => resources),
    diagnostics: loaded.flatMap(({ diagnostics }) => diagnostics),
  };
}
