/** The examples with the clients that they are made for, to run these in pods. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../paths.ts';
import { imageWith, type ProjectImage } from '../project-image.ts';

export const CLIENTS_IMAGE = 'localhost/clients:local';

const CLIENTS = ['@azure/web-pubsub', '@azure/web-pubsub-client', '@microsoft/signalr', 'jose', 'ws', 'yaml'];

/** @param present an image that the cluster has. */
export function clientsImage(present: ProjectImage): string {
  const packages = new Set<string>();
  for (const name of CLIENTS) addPackage(join('node_modules', name), packages);
  return imageWith(present, CLIENTS_IMAGE, ['package.json', 'examples', ...packages]);
}

/** Adds a package and all that it needs, as Node.js finds them. */
function addPackage(path: string, packages: Set<string>): void {
  if (packages.has(path)) return;
  packages.add(path);
  const { dependencies = {} } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as {
    dependencies?: Readonly<Record<string, string>>;
  };
  for (const name of Object.keys(dependencies)) {
    const inner = join(path, 'node_modules', name);
    addPackage(existsSync(join(root, inner)) ? inner : join('node_modules', name), packages);
  }
}
