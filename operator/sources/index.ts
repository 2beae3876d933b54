/** Where resources come from, and what a change of them leads to. */

export { type Configuration, nextConfiguration } from './configuration.ts';
export { FileSource, type FileSourceOptions } from './files.ts';
export type { SourceState } from './source.ts';
