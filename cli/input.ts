import { FileSource } from '../operator/sources/files.ts';
import type { SourceState } from '../operator/sources/index.ts';
import { type ClusterOptions, ClusterUnreadableError, readCluster } from './read-cluster.ts';

export interface InputOptions extends ClusterOptions {
  readonly file?: readonly string[];
  /** Where there are no files. */
  readonly cluster?: true;
}

export interface Input {
  readonly state: SourceState;
  readonly environment: 'Standalone' | 'Cluster';
}

/** What a command is to work on: files, or a cluster. @returns `null` after having said why there is nothing */
export async function readInput(options: InputOptions): Promise<Input | null> {
  if (options.file !== undefined) {
    return { state: await new FileSource(options.file).load(), environment: 'Standalone' };
  }
  try {
    return { state: await readCluster(options), environment: 'Cluster' };
  } catch (error) {
    if (!(error instanceof ClusterUnreadableError)) throw error;
    console.error(error.message);
    return null;
  }
}
