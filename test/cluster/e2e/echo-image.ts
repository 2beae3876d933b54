import type { ProjectImage } from '../project-image.ts';
import { imageWith } from '../project-image.ts';

/** The backend of fleets. */
export const ECHO_IMAGE = 'localhost/echo:local';

const FILES = ['package.json', 'test/support/fleet/echo.ts', 'test/support/fleet/main.ts', 'node_modules/ws'];

/** @param present an image that the cluster has. */
export function echoImage(present: ProjectImage): string {
  return imageWith(present, ECHO_IMAGE, FILES);
}
