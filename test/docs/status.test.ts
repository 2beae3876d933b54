/** The page on statuses, held against what the operator writes: a new condition, reason or column must be explained. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { Condition } from '../../operator/status/conditions.ts';
import { computeStatuses, type ObjectStatus, problemsOfIngresses } from '../../operator/status/index.ts';
import { reasons } from '../../operator/status/reasons.ts';
import { statusCase, statusCaseNames } from '../../operator/status/testing/status-cases.ts';
import { verdicts } from '../../operator/status/verdicts.ts';
import { readPage, root, tableOf } from './markdown.ts';

const page = readPage('docs/concepts/status.md');

/** The heads of the tables of conditions, by what has them. */
const TABLES = {
  EdgeGateway: 'condition of EdgeGateway',
  listener: 'condition of a listener',
  BackendPool: 'condition of BackendPool',
  FirewallRuleList: 'condition of FirewallRuleList',
} as const;

/** `BackendPool: Healthy False NoTargets`. */
const explained = new Set(
  Object.entries(TABLES).flatMap(([whose, head]) =>
    tableOf(page, head).map(([type, status, reason]) => `${whose}: ${type} ${status} ${reason}`),
  ),
);
const explainedEvents = new Set(
  tableOf(page, 'event of an Ingress or IngressClass').map(([reason]) => reason!),
);

/** What the golden cases of the operator's statuses have. */
const written = new Set<string>();
const writtenEvents = new Set<string>();
const writtenStates = new Set<string>();
for (const name of statusCaseNames()) {
  const example = statusCase(name);
  for (const [key, status] of computeStatuses(example)) takeAll(key.split('/')[0]!, status);
  for (const { reason } of problemsOfIngresses(example.resources, example.compiled).values()) {
    writtenEvents.add(reason);
  }
}

function takeAll(kind: string, status: ObjectStatus): void {
  const take = (whose: string, conditions: readonly Condition[]): void => {
    for (const { type, status, reason } of conditions) written.add(`${whose}: ${type} ${status} ${reason}`);
  };
  if ('conditions' in status) take(kind, status.conditions);
  if ('listeners' in status)
    for (const { conditions } of status.listeners ?? []) take('listener', conditions);
  if ('ancestors' in status) for (const { conditions } of status.ancestors) take(kind, conditions);
  if ('enforcement' in status) writtenStates.add(status.enforcement.state);
}

test('every condition that the golden cases have, with its status and reason', () => {
  assert.ok(written.size > 40, `found ${written.size} conditions, which is too few for this to mean much`);
  assert.deepEqual([...written.difference(explained)], []);
});

test('every reason that a diagnostic leads to', () => {
  const about = new Map<string, Set<string>>();
  for (const row of explained) {
    const [, type, , reason] = row.split(' ');
    about.set(type!, (about.get(type!) ?? new Set()).add(reason!));
  }
  const unexplained = Object.values(verdicts)
    .filter(({ condition, reason }) => !about.get(condition)?.has(reason) && !explainedEvents.has(reason))
    .map(({ condition, reason }) => `${condition} ${reason}`);
  assert.deepEqual(unexplained, []);
});

test('every reason that there is, and no other', () => {
  const known = new Set([...[...explained].map((row) => row.split(' ').at(-1)!), ...explainedEvents]);
  assert.deepEqual([...known].sort(), Object.keys(reasons).sort());
});

test('every state of enforcement', () => {
  const states = tableOf(page, 'enforcement').map(([state]) => state!);
  assert.deepEqual(states.sort(), [...writtenStates].sort());
});

test('every event of Ingresses that the golden cases have', () => {
  assert.ok(writtenEvents.size > 0);
  assert.deepEqual([...writtenEvents.difference(explainedEvents)], []);
});

interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly additionalPrinterColumns: readonly Column[] }[];
  };
}

interface Column {
  readonly name: string;
  readonly priority?: number;
}

for (const file of globSync('crds/*.yaml', { cwd: root })) {
  const { spec } = parse(readFileSync(join(root, file), 'utf8')) as Definition;
  test(`every column of ${spec.names.kind}`, () => {
    const { additionalPrinterColumns } = spec.versions[0]!;
    const rows = tableOf(page, `column of ${spec.names.kind}`);
    const names = rows.flatMap(([cell]) => cell!.split(', '));
    assert.deepEqual(
      names,
      additionalPrinterColumns.map(({ name }) => name),
    );
    const wide = rows
      .filter(([, shows]) => shows!.includes('-o wide'))
      .flatMap(([cell]) => cell!.split(', '));
    assert.deepEqual(
      wide,
      additionalPrinterColumns.filter(({ priority = 0 }) => priority > 0).map(({ name }) => name),
    );
  });
}
