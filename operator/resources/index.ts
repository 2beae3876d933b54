/** Resources: their types, reading them from files, and checking them against the CRDs. */

export { type DefaultsPath, defaults, withDefaults } from './defaults.ts';
export type * from './types.ts';
