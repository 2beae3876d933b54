/**
 * The images of this checkout: one layer with Node.js and the packages that it runs with, below one with the project or
 * one with the examples.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Layer, makeLayer, USER_ID, writeImage } from './image.ts';
import { EXAMPLES_FILES, EXAMPLES_PACKAGES, isLeftOut, PROJECT_FILES } from './image-contents.ts';
import { root } from './paths.ts';
import type { TarEntry } from './tar.ts';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** As the chart names it. */
export const PROJECT_IMAGE = `sluice:${version}`;
/** As the examples name it. */
export const EXAMPLES_IMAGE = `sluice-examples:${version}`;

/** Where the project is in the image. */
const APP = 'app';

export interface ProjectImage {
  /** The archive, for `importImage`. */
  readonly file: string;
  readonly base: Layer;
}

/**
 * Makes the image as the checkout is now.
 *
 * @param previous an image that the cluster has: its lower layer is not sent again when it is the same.
 * @param name another one than {@link PROJECT_IMAGE}, for a new version that is the same but for its name.
 */
export function projectImage(previous?: ProjectImage, name = PROJECT_IMAGE): ProjectImage {
  const base = previous?.base ?? makeLayer('sluice-base', [...nodeEntries(), ...packageEntries()]);
  const app = makeLayer('sluice', PROJECT_FILES.flatMap(projectEntries));
  const file = writeImage(
    {
      name,
      layers: [base, app],
      entrypoint: ['/usr/local/bin/node', `/${APP}/bin/sluice.mjs`],
      environment: { NODE_ENV: 'production' },
      workingFolder: `/${APP}`,
    },
    new Set(previous === undefined ? [] : [previous.base.digest]),
  );
  return { file, base };
}

/**
 * Makes the image of the examples' backends.
 *
 * @param present an image that the cluster has.
 */
export function examplesImage(present: ProjectImage): ProjectImage {
  const file = writeOnBase(present, EXAMPLES_IMAGE, [
    ...EXAMPLES_FILES.flatMap(projectEntries),
    ...EXAMPLES_PACKAGES.flatMap((path) => filesBelow(path, () => true)),
  ]);
  return { file, base: present.base };
}

/**
 * Makes an image for tests and returns its archive: Node.js, the packages that the project runs with, and these.
 *
 * @param present an image that the cluster has.
 * @param paths files and folders of the checkout; packages come without those that they have for themselves.
 */
export function imageWith(present: ProjectImage, name: string, paths: readonly string[]): string {
  return writeOnBase(
    present,
    name,
    paths.flatMap((path) => filesBelow(path, (below) => basename(below) !== 'node_modules')),
  );
}

function writeOnBase({ base }: ProjectImage, name: string, entries: readonly TarEntry[]): string {
  return writeImage(
    {
      name,
      layers: [base, makeLayer(name.replaceAll(/[^\w.-]/g, '_'), entries)],
      entrypoint: ['/usr/local/bin/node'],
      environment: { NODE_ENV: 'production' },
      workingFolder: `/${APP}`,
    },
    new Set([base.digest]),
  );
}

/** The Node.js binary of this checkout, the libraries that it is linked with, and a user. */
function nodeEntries(): TarEntry[] {
  const node = realpathSync(process.execPath);
  const { stdout } = spawnSync('ldd', [node], { encoding: 'utf8' });
  const libraries = stdout.match(/\/\S+(?= \(0x)/g) ?? [];
  const text = (path: string, lines: string): TarEntry => ({
    path,
    type: 'file',
    mode: 0o644,
    content: Buffer.from(lines),
  });
  return [
    { path: 'usr/local/bin/node', type: 'file', mode: 0o755, source: node },
    ...libraries.map(
      (path): TarEntry => ({
        path: path.slice(1),
        type: 'file',
        mode: 0o755,
        source: realpathSync(path),
      }),
    ),
    text('etc/passwd', `sluice:x:${USER_ID}:${USER_ID}::/${APP}:/sbin/nologin\n`),
    text('etc/group', `sluice:x:${USER_ID}:\n`),
    { path: 'tmp', type: 'directory', mode: 0o1777 },
  ];
}

/** The packages that `npm ci --omit=dev` would install. */
function packageEntries(): TarEntry[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .filter(([path]) => existsSync(join(root, path)))
    .flatMap(([path]) => filesBelow(path, (name) => basename(name) !== 'node_modules'));
}

function projectEntries(path: string): TarEntry[] {
  return filesBelow(path, (name) => !isLeftOut(name));
}

function filesBelow(path: string, wanted: (path: string) => boolean): TarEntry[] {
  const source = join(root, path);
  if (statSync(source).isFile()) return [{ path: `${APP}/${path}`, type: 'file', mode: 0o644, source }];
  return readdirSync(source)
    .map((name) => `${path}/${name}`)
    .filter(wanted)
    .flatMap((below) => filesBelow(below, wanted));
}
