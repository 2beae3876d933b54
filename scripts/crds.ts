/**
 * Reading the CRDs of `crds/` for the scripts that generate files from them, and writing such files or
 * checking that they are up to date.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parse } from 'yaml';
import type { Schema } from '../operator/resources/schemas.ts';

export type { Schema };

export interface Crd {
  file: string;
  kind: string;
  plural: string;
  shortNames: string[];
  group: string;
  version: string;
  schema: Schema;
}

interface CrdDocument {
  spec: {
    group: string;
    names: { kind: string; plural: string; shortNames: string[] };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
}

export const root = join(import.meta.dirname, '..');

export function readCrds(): Crd[] {
  const folder = join(root, 'crds');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => {
      const { spec } = parse(readFileSync(join(folder, file), 'utf8')) as CrdDocument;
      const version = spec.versions[0]!;
      const { kind, plural, shortNames } = spec.names;
      const schema = version.schema.openAPIV3Schema;
      return { file, kind, plural, shortNames, group: spec.group, version: version.name, schema };
    });
}

/** `EdgeGateway` → `edge-gateway`. */
export function kebab(name: string): string {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();
}

/**
 * Writes the generated files; with `--check` on the command line it writes nothing, and sets the exit code
 * to 1 when a file differs from what would be written.
 */
export function writeOrCheck(files: ReadonlyMap<string, string>, command: string): void {
  if (!process.argv.includes('--check')) {
    writeFiles(files);
    for (const file of files.keys()) console.log(`wrote ${relative(root, file)}`);
    return;
  }
  for (const file of findStale(files)) {
    console.error(`${relative(root, file)} is out of date: run \`${command}\``);
    process.exitCode = 1;
  }
}

export function writeFiles(files: ReadonlyMap<string, string>): void {
  for (const [file, text] of files) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/** The files that are missing or hold something else. */
export function findStale(files: ReadonlyMap<string, string>): string[] {
  return [...files].filter(([file, text]) => readOrEmpty(file) !== text).map(([file]) => file);
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
