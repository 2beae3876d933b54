/** Resources: their types, reading them from files, and checking them against the CRDs. */
export type * from './types.ts';
