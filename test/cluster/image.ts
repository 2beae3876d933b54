/**
 * Container images made from lists of files, without Docker: OCI image layouts as tar archives, for `ctr images import`.
 * Everything is root's and readable by all; processes run as a user without rights, and write nowhere but to volumes.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findTool } from '../support/tools.ts';
import { runFolder } from './paths.ts';
import { type TarEntry, TarFile } from './tar.ts';

/** What pods of tests run when they need a shell, and the sandbox of every pod: sleeps unless told otherwise. */
export const BUSYBOX_IMAGE = 'localhost/busybox:local';

export const USER_ID = 65_532;

/** A layer in its file. */
export interface Layer {
  readonly file: string;
  /** SHA-256, in hexadecimal. */
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface Image {
  /** With a tag, such as `localhost/busybox:local`; without a registry it is Docker Hub's, as for everybody. */
  readonly name: string;
  readonly layers: readonly Layer[];
  readonly entrypoint: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingFolder?: string;
}

const folder = join(runFolder, 'images');

/** Makes a layer; the folders above its files are added. */
export function makeLayer(name: string, entries: readonly TarEntry[]): Layer {
  const file = join(folder, `${name}.layer.tar`);
  mkdirSync(folder, { recursive: true });
  const tar = new TarFile(file);
  for (const entry of withFolders(entries)) tar.add(entry);
  return { file, ...tar.close() };
}

/**
 * Writes the archive of an image and returns its path.
 *
 * @param present digests of layers that containerd has from another image: they are left out of the archive.
 */
export function writeImage(image: Image, present: ReadonlySet<string> = new Set()): string {
  const blobs: TarEntry[] = [];
  const addJson = (value: object): { digest: string; size: number } => {
    const content = Buffer.from(JSON.stringify(value));
    const digest = createHash('sha256').update(content).digest('hex');
    blobs.push({ path: `blobs/sha256/${digest}`, type: 'file', mode: 0o644, content });
    return { digest: `sha256:${digest}`, size: content.length };
  };
  for (const { file, digest } of image.layers) {
    if (!present.has(digest)) {
      blobs.push({ path: `blobs/sha256/${digest}`, type: 'file', mode: 0o644, source: file });
    }
  }
  const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', ...image.environment };
  const config = addJson({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      User: `${USER_ID}:${USER_ID}`,
      Entrypoint: image.entrypoint,
      Cmd: image.command ?? [],
      Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      WorkingDir: image.workingFolder ?? '/',
    },
    rootfs: { type: 'layers', diff_ids: image.layers.map(({ digest }) => `sha256:${digest}`) },
  });
  const manifest = addJson({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: image.layers.map(({ digest, sizeBytes }) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: `sha256:${digest}`,
      size: sizeBytes,
    })),
  });
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        ...manifest,
        annotations: { 'io.containerd.image.name': withRegistry(image.name) },
      },
    ],
  };
  const json = (path: string, value: object): TarEntry => ({
    path,
    type: 'file',
    mode: 0o644,
    content: Buffer.from(JSON.stringify(value)),
  });
  const archive = join(folder, `${image.name.replaceAll(/[^\w.-]/g, '_')}.tar`);
  const tar = new TarFile(archive);
  tar.add(json('oci-layout', { imageLayoutVersion: '1.0.0' }));
  tar.add(json('index.json', index));
  for (const blob of blobs) tar.add(blob);
  tar.close();
  return archive;
}

/** The name that containerd looks for when a pod names the image. */
function withRegistry(name: string): string {
  const [first = '', ...rest] = name.split('/');
  if (rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')) return name;
  return `docker.io/${rest.length > 0 ? '' : 'library/'}${name}`;
}

/** A statically linked busybox under the names of all its applets. */
export function busyboxImage(): string {
  const busybox = findTool('busybox')!;
  const { stdout } = spawnSync(busybox, ['--list'], { encoding: 'utf8' });
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  return writeOnce({
    name: BUSYBOX_IMAGE,
    layers: [
      makeLayer('busybox', [
        { path: 'bin/busybox', type: 'file', mode: 0o755, source: busybox },
        ...applets.map((name): TarEntry => ({ path: `bin/${name}`, type: 'link', target: 'busybox' })),
        { path: 'tmp', type: 'directory', mode: 0o1777 },
      ]),
    ],
    entrypoint: [],
    command: ['/bin/sleep', 'infinity'],
  });
}

/** The image of one statically linked program. */
export function programImage(name: string, program: string): string {
  return writeOnce({
    name,
    layers: [
      makeLayer(name.replaceAll(/[^\w.-]/g, '_'), [
        { path: 'bin/program', type: 'file', mode: 0o755, source: program },
      ]),
    ],
    entrypoint: ['/bin/program'],
  });
}

/** An image that is made once and not edited: its layers are not kept. */
function writeOnce(image: Image): string {
  const archive = writeImage(image);
  for (const { file } of image.layers) rmSync(file);
  return archive;
}

function withFolders(entries: readonly TarEntry[]): TarEntry[] {
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) {
    for (let path = dirname(entry.path); path !== '.'; path = dirname(path)) {
      if (!byPath.has(path)) byPath.set(path, { path, type: 'directory', mode: 0o755 });
    }
    byPath.set(entry.path, entry);
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
