/** The dashboard, held against the metrics that the code registers: names, labels, and what legends refer to. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../cluster/paths.ts';

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const text = readFileSync(join(root, 'charts/sluice/dashboards/sluice.json'), 'utf8');
const dashboard = JSON.parse(text) as Dashboard;
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const metrics = registeredMetrics();

/** What Prometheus adds to every series of a pod, and the PodMonitor of the chart. */
const TARGET_LABELS = ['namespace', 'pod', 'gateway'];
const SUFFIXES = /_(?:bucket|sum|count)$/;

/** Name → type and labels, as the sources say. */
function registeredMetrics(): Map<string, { readonly type: string; readonly labels: readonly string[] }> {
  const string = /(?:'[^']*'|"[^"]*")/.source;
  const registration = new RegExp(
    `\\.(counter|gauge|histogram)\\(\\s*'(\\w+)',\\s*${string}(?:\\s*\\+\\s*${string})*,?\\s*(\\[[^\\]]*\\])?`,
    'g',
  );
  const found = new Map<string, { type: string; labels: string[] }>();
  for (const file of globSync('{proxy,operator,cli}/**/*.ts', { cwd: root, exclude: ['**/*.test.ts'] })) {
    for (const [, type, name, labels] of readFileSync(join(root, file), 'utf8').matchAll(registration)) {
      found.set(name!, {
        type: type!,
        labels: [...(labels ?? '').matchAll(/'(\w+)'/g)].map(([, label]) => label!),
      });
    }
  }
  return found;
}

/** The metrics of an expression, with the labels that each is selected by. */
function selectionsOf(expression: string): { readonly name: string; readonly labels: readonly string[] }[] {
  return [...expression.matchAll(/\b((?:sluice|process)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name, matchers]) => ({
      name: name!,
      labels: [...(matchers ?? '').matchAll(/(\w+)(?:=~|!=|=)"/g)].map(([, label]) => label!),
    }),
  );
}

/** The labels that the result has: those of the outermost aggregation. */
function resultLabels(expression: string): string[] {
  const [, by] = /^\w+ by \(([^)]*)\)/.exec(expression) ?? [];
  const quantile = /^histogram_quantile\([\d.]+, (.*)\)$/.exec(expression)?.[1];
  if (quantile !== undefined) return resultLabels(quantile).filter((label) => label !== 'le');
  return by === undefined ? [] : by.split(', ');
}

test('the metrics of the sources are found', () => {
  assert.ok(metrics.size >= 40, `${metrics.size} metrics`);
  assert.deepEqual(metrics.get('sluice_firewall_decisions_total'), {
    type: 'counter',
    labels: ['rule_list', 'rule', 'decision'],
  });
});

for (const { title, description, targets = [] } of panels) {
  test(title, () => {
    assert.ok((description ?? '').length > 0, 'no description');
    assert.ok(targets.length > 0, 'no query');
    for (const { expr, legendFormat } of targets) {
      const selections = selectionsOf(expr);
      assert.ok(selections.length > 0, expr);
      const labels = new Set(TARGET_LABELS);
      for (const { name, labels: selected } of selections) {
        const metric = metrics.get(name) ?? metrics.get(name.replace(SUFFIXES, ''));
        assert.ok(metric !== undefined, `${name} is not registered anywhere`);
        const isSeriesOfHistogram = SUFFIXES.test(name) && !metrics.has(name);
        assert.equal(isSeriesOfHistogram, metric.type === 'histogram', name);
        if (metric.type === 'histogram') labels.add('le');
        for (const label of metric.labels) labels.add(label);
        for (const label of selected) {
          assert.ok([...metric.labels, ...TARGET_LABELS].includes(label), `${name} has no label ${label}`);
        }
        const isRate = expr.includes(`rate(${name}`);
        assert.equal(isRate, metric.type !== 'gauge', `${name} is a ${metric.type}`);
      }
      for (const [, list] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)) {
        for (const label of list!.split(', ')) assert.ok(labels.has(label), `by ${label}: ${expr}`);
      }
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
      assert.deepEqual(
        new Set(shown),
        new Set(resultLabels(expr).filter((label) => shown.includes(label))),
        expr,
      );
      const depth = [...expr].reduce(
        (sum, character) => sum + Number(character === '(') - Number(character === ')'),
        0,
      );
      assert.equal(depth, 0, expr);
    }
  });
}

test('proxies are looked at by namespace and gateway, the operator as a whole', () => {
  for (const { targets = [] } of panels) {
    for (const { expr } of targets) {
      for (const { name, labels } of selectionsOf(expr)) {
        const isOperator = name.startsWith('sluice_operator_');
        const bySelection = ['namespace', 'gateway'].every((label) => labels.includes(label));
        assert.equal(bySelection, !isOperator, expr);
      }
    }
  }
  assert.deepEqual(
    dashboard.templating.list.map(({ name }) => name),
    ['datasource', 'namespace', 'gateway'],
  );
});

test('it answers what somebody on call asks', () => {
  const used = new Set(
    panels
      .flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => selectionsOf(expr)))
      .map(({ name }) => name),
  );
  for (const name of [
    'sluice_connections',
    'sluice_rejections_total',
    'sluice_firewall_decisions_total',
    'sluice_authentication_results_total',
    'sluice_pool_endpoints',
    'sluice_pool_probes_total',
    'sluice_upstream_failures_total',
    'sluice_operator_gateways',
    'sluice_operator_watch_staleness_seconds',
    'sluice_watch_staleness_seconds',
  ]) {
    assert.ok(used.has(name), name);
  }
});

test('panels have names of their own, and do not overlap', () => {
  const ids = new Set(dashboard.panels.map(({ id }) => id));
  assert.equal(ids.size, dashboard.panels.length);
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        const other = taken.get(`${x} ${y}`);
        assert.equal(other, undefined, `${title} is on top of ${other}`);
        taken.set(`${x} ${y}`, title);
      }
    }
  }
});

test('it fits into a ConfigMap', () => {
  assert.ok(
    Buffer.byteLength(text) < 262_144,
    'the annotation of a plain kubectl apply is limited to 256 KiB',
  );
});
