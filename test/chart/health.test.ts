/**
 * The health checks of docs/install.md, for Argo CD (Lua) and Flux (CEL), on the statuses of the operator's golden cases.
 * `UPDATE_GOLDEN=1` writes what they say of each object anew: read the difference.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Environment } from '@marcbachmann/cel-js';
import { parse } from 'yaml';
import { computeStatuses } from '../../operator/status/compute.ts';
import { statusCase, statusCaseNames } from '../../operator/status/testing/status-cases.ts';
import { readPage } from '../docs/markdown.ts';
import { findTool, skipWithout } from '../support/tools.ts';

interface KindChecks {
  readonly kind: string;
  readonly current: string;
  readonly failed: string;
}

interface Subject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly status?: object;
}

const UPDATE = process.env.UPDATE_GOLDEN === '1';
const GOLDEN = join(import.meta.dirname, 'golden/health.txt');
const { blocks } = readPage('docs/install.md');
const script = blocks.find(({ language }) => language === 'lua')!.text;
const { spec } = parse(blocks.find(({ text }) => text.includes('healthCheckExprs'))!.text) as {
  spec: { healthCheckExprs: KindChecks[] };
};
const KINDS = ['EdgeGateway', 'BackendPool', 'FirewallRuleList'];
const environment = new Environment({ unlistedVariablesAreDyn: true });

/** As an API server hands it out. */
function subjectsOf(name: string): Map<string, Subject> {
  const input = statusCase(name);
  const found = new Map<string, Subject>();
  for (const [id, status] of computeStatuses(input)) {
    const [kind = '', , objectName = ''] = id.split('/');
    if (!KINDS.includes(kind)) continue;
    const { observedGeneration: generation } = status as { observedGeneration: number };
    found.set(id, { kind, metadata: { name: objectName, generation }, status });
  }
  return found;
}

function flux(subject: Subject): string {
  const checks = spec.healthCheckExprs.find(({ kind }) => kind === subject.kind)!;
  // Numbers of Kubernetes are integers.
  const context = JSON.parse(JSON.stringify(subject), (_, value) =>
    typeof value === 'number' ? BigInt(value) : value,
  ) as Record<string, unknown>;
  const evaluate = (expression: string): boolean => {
    const result = environment.parse(expression)(context);
    assert.equal(typeof result, 'boolean', expression);
    return result as boolean;
  };
  if (evaluate(checks.failed)) return 'Failed';
  return evaluate(checks.current) ? 'Current' : 'InProgress';
}

/** Many at once: each is a call of the script as a function. */
function argo(subjects: readonly Subject[]): { status: string; message: string }[] {
  const calls = subjects.map(
    (subject) => `obj = ${lua(subject)}; health = check(); print(health.status .. '\\t' .. health.message)`,
  );
  const { status, stdout, stderr } = spawnSync(lua51!, ['-'], {
    encoding: 'utf8',
    input: `local function check()\n${script}\nend\n${calls.join('\n')}\n`,
  });
  assert.equal(status, 0, stderr);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
    .map(([health = '', message = '']) => ({ status: health, message }));
}

/** A value as Lua writes it. */
function lua(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(lua).join(', ')}}`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, entry]) => `[${lua(key)}] = ${lua(entry)}`)
      .join(', ')}}`;
  }
  return value === null ? 'nil' : JSON.stringify(value);
}

const lua51 = findTool('lua5.1');
const skip = skipWithout('Lua 5.1', lua51, "Debian's package lua5.1 has it.");

suite('the health of our objects, as GitOps tools see it', { skip }, () => {
  test('of every object of the golden cases', () => {
    const lines = statusCaseNames().flatMap((name) => {
      const subjects = subjectsOf(name);
      const health = argo([...subjects.values()]);
      return [...subjects].map(([id, subject], index) => {
        const { status, message } = health[index]!;
        assert.ok(status === 'Healthy' ? message === '' : message !== '', id);
        return `${name}: ${id}: ${status}, ${flux(subject)}\n`;
      });
    });
    const text = lines.join('');
    if (UPDATE) writeFileSync(GOLDEN, text);
    assert.ok(existsSync(GOLDEN), 'health.txt is missing: run with UPDATE_GOLDEN=1 and read it');
    assert.equal(text, readFileSync(GOLDEN, 'utf8'));
  });

  test('each says each thing of some object', () => {
    const text = readFileSync(GOLDEN, 'utf8');
    for (const kind of KINDS) {
      const ofKind = text.split('\n').filter((line) => line.includes(`: ${kind}/`));
      for (const health of ['Healthy', 'Degraded', 'Progressing']) {
        assert.ok(
          ofKind.some((line) => line.includes(`: ${health}, `)),
          `${kind} ${health}`,
        );
      }
      for (const health of ['Current', 'Failed', 'InProgress']) {
        assert.ok(
          ofKind.some((line) => line.endsWith(`, ${health}`)),
          `${kind} ${health}`,
        );
      }
    }
  });

  test('what was changed, and not yet looked at, is not healthy', () => {
    for (const [id, subject] of subjectsOf('all-is-well')) {
      const changed = { ...subject, metadata: { ...subject.metadata, generation: 99 } };
      assert.equal(argo([changed])[0]!.status, 'Progressing', id);
      assert.equal(flux(changed), 'InProgress', id);
    }
  });

  test('what is new, and has no status yet, is not healthy', () => {
    for (const [id, { status: _, ...bare }] of subjectsOf('all-is-well')) {
      assert.equal(argo([bare])[0]!.status, 'Progressing', id);
      // An error makes Flux ask again.
      assert.throws(() => flux(bare), /status/, id);
    }
  });

  test('what other controllers say of a rule list is theirs', () => {
    const subject = subjectsOf('all-is-well').get('FirewallRuleList/default/per-user')!;
    const { ancestors } = subject.status as { ancestors: object[] };
    const conditions = [{ type: 'Accepted', status: 'False', reason: 'Whatever', message: 'no' }];
    const other = { controllerName: 'example.com/other', conditions };
    const shared = { ...subject, status: { ...subject.status, ancestors: [...ancestors, other] } };
    assert.equal(argo([shared])[0]!.status, 'Healthy');
    assert.equal(flux(shared), 'Current');
  });
});
