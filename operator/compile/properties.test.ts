import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAllDocuments, stringify } from 'yaml';
import { decodeSnapshot, encodeSnapshot } from '../../proxy/config/encoding.ts';
import type { Snapshot } from '../../proxy/config/snapshot.ts';
import { buildRoutingTable } from '../../proxy/routing/table.ts';
import { loadResources, type Resource } from '../resources/index.ts';
import { compile } from './compile.ts';
import type { Environment } from './environment.ts';
import {
  GOLDEN_NOW,
  goldenEnvironment,
  goldenFiles,
  goldenNames,
  loadFiles,
} from './testing/golden-cases.ts';
import { mutate, mutation } from './testing/mutate.ts';
import { validateSnapshot } from './validate-snapshot.ts';

/** More runs for a longer search: `FUZZ_RUNS=20000 node --test operator/compile/properties.test.ts`. */
const FUZZ_RUNS = Number(process.env.FUZZ_RUNS ?? 400);

const names = goldenNames();
const anyName = fc.constantFrom(...names);
const textOf = (name: string) =>
  goldenFiles(name)
    .map(({ text }) => text)
    .join('---\n');
const environmentOf = (name: string) => goldenEnvironment(textOf(name));
const anyEnvironment = fc.constantFrom<Environment>('Standalone', 'Cluster');
const compileText = (text: string, environment: Environment) =>
  compile({ resources: loadResources(text, 'x.yaml').resources, now: GOLDEN_NOW, environment });
const encoded = (text: string, environment: Environment) =>
  compileText(text, environment).snapshots.map(encodeSnapshot);

test('the order of resources does not matter', () => {
  const cases = new Map(names.map((name) => [name, loadFiles(goldenFiles(name)).resources]));
  fc.assert(
    fc.property(anyName, fc.infiniteStream(fc.nat()), (name, random) => {
      const resources = cases.get(name) ?? [];
      const environment = environmentOf(name);
      const expected = everything(resources, environment);
      assert.equal(everything(shuffled(resources, random), environment), expected);
    }),
    { numRuns: 200 },
  );
});

test('the order of documents in a file does not matter', () => {
  // Of two objects of one name the first is taken, so there the order does matter.
  const unique = names.filter((name) => name !== 'duplicate-objects');
  fc.assert(
    fc.property(fc.constantFrom(...unique), fc.infiniteStream(fc.nat()), (name, random) => {
      const documents = textOf(name).split(/^---\n/m);
      const environment = environmentOf(name);
      assert.deepEqual(
        encoded(shuffled(documents, random).join('\n---\n'), environment),
        encoded(documents.join('\n---\n'), environment),
      );
    }),
    { numRuns: 100 },
  );
});

test('YAML that means the same gives the same snapshots', () => {
  fc.assert(
    fc.property(
      anyName,
      fc.infiniteStream(fc.nat()),
      fc.boolean(),
      fc.boolean(),
      (name, random, flow, json) => {
        const text = textOf(name);
        const values = parseAllDocuments(text, { version: '1.1' }).map(
          (document) => reordered(document.toJS(), random) as unknown,
        );
        const rewritten = values
          .map((value) => {
            if (json) return `${JSON.stringify(value, null, flow ? 0 : 3)}\n`;
            return stringify(value, { version: '1.1', collectionStyle: flow ? 'flow' : 'block' });
          })
          .join('---\n');
        const environment = environmentOf(name);
        assert.deepEqual(encoded(rewritten, environment), encoded(text, environment));
      },
    ),
    { numRuns: 100 },
  );
});

test('no resources however broken make it throw, and what comes out is sound', () => {
  fc.assert(
    fc.property(
      anyName,
      anyName,
      fc.array(mutation, { minLength: 1, maxLength: 8 }),
      anyEnvironment,
      (one, two, mutations, environment) => {
        const documents = [one, two].flatMap((name) =>
          parseAllDocuments(textOf(name)).map((document) => document.toJS() as unknown),
        );
        for (const change of mutations) mutate(documents, change);
        const text = documents.map((document) => stringify(document)).join('---\n');
        assertSound(compileText(text, environment).snapshots);
      },
    ),
    { numRuns: FUZZ_RUNS },
  );
});

test('no text however broken makes it throw, and what comes out is sound', () => {
  const edit = fc.record({
    at: fc.nat(),
    remove: fc.nat({ max: 40 }),
    insert: fc.oneof(
      fc.string({ maxLength: 10, unit: 'binary' }),
      fc.constantFrom(
        '\n',
        '---\n',
        '  ',
        ': ',
        '{',
        ']',
        '&a ',
        '*a',
        '"',
        '|',
        '<<: ',
        '!!binary ',
        '\0',
        '\u2028',
      ),
    ),
  });
  fc.assert(
    fc.property(anyName, fc.array(edit, { minLength: 1, maxLength: 6 }), (name, edits) => {
      let text = textOf(name);
      for (const { at, remove, insert } of edits) {
        const place = at % (text.length + 1);
        text = text.slice(0, place) + insert + text.slice(place + remove);
      }
      assertSound(compileText(text, 'Standalone').snapshots);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

/** Keeps its promises, and is something that the proxy can build its table of. */
function assertSound(snapshots: readonly Snapshot[]): void {
  for (const snapshot of snapshots) {
    validateSnapshot(snapshot);
    buildRoutingTable(decodeSnapshot(encodeSnapshot(snapshot)));
  }
}

function everything(resources: readonly Resource[], environment: Environment): string {
  const { snapshots, diagnostics, rejected, facts } = compile({ resources, now: GOLDEN_NOW, environment });
  return JSON.stringify([
    snapshots.map(encodeSnapshot),
    diagnostics,
    [...rejected],
    [...facts.attachedRoutes].map(([id, listeners]) => [id, [...listeners]]),
    [...facts.ruleLists],
    [...facts.ingresses],
  ]);
}

function shuffled<T>(values: readonly T[], random: fc.Stream<number>): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const [pick = 0] = [...random.take(1)];
    const j = pick % (i + 1);
    const [left, right] = [result[i] as T, result[j] as T];
    result[i] = right;
    result[j] = left;
  }
  return result;
}

/** The same value with the keys of its maps in another order. */
function reordered(value: unknown, random: fc.Stream<number>): unknown {
  if (Array.isArray(value)) return value.map((entry) => reordered(entry, random));
  if (typeof value !== 'object' || value === null) return value;
  const entries = shuffled(Object.entries(value), random);
  return Object.fromEntries(entries.map(([key, entry]) => [key, reordered(entry, random)]));
}
