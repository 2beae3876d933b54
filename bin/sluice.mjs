#!/usr/bin/env node
// The `sluice` command of an installed package or image: the command line itself is TypeScript, run as it is.
await import('../cli/main.ts');
