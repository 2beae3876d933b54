/**
 * What the images of the project hold: those that tests make, and those of the Dockerfile, which a test holds against
 * this list.
 */
import { matchesGlob } from 'node:path';

/** Files and folders of the image `sluice`, besides the packages that it runs with. */
export const PROJECT_FILES = [
  'package.json',
  'LICENSE',
  'bin',
  'cli',
  'crds',
  'kubernetes',
  'operator',
  'proxy',
] as const;

/** Those of the image `sluice-examples`. */
export const EXAMPLES_FILES = ['package.json', 'LICENSE', 'examples'] as const;

/** What the examples need besides the packages that the project runs with. */
export const EXAMPLES_PACKAGES = ['node_modules/ws'] as const;

/** Of the folders above, what only tests use. */
export const LEFT_OUT = ['**/*.test.ts', '**/*.bench.ts', '**/testing', '**/golden'] as const;

/** @param path of a file or folder below one of the above */
export function isLeftOut(path: string): boolean {
  return LEFT_OUT.some((pattern) => matchesGlob(path, pattern));
}
