/**
 * Generates what the chart has from elsewhere, so that its folder is all that Helm needs:
 * `node scripts/generate-chart.ts [--check]` writes the CustomResourceDefinitions, the dashboard and the table of values.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crdTemplate } from './chart/crd-templates.ts';
import { dashboard } from './chart/dashboard.ts';
import { readValues } from './chart/values.ts';
import { root, writeOrCheck } from './crds.ts';

const chart = join(root, 'charts/sluice');
const crds = join(root, 'crds');
const files = new Map<string, string>();

for (const name of readdirSync(crds).filter((file) => file.endsWith('.yaml'))) {
  files.set(join(chart, 'templates/crds', name), crdTemplate(readFileSync(join(crds, name), 'utf8')));
}
files.set(join(chart, 'dashboards/sluice.json'), `${JSON.stringify(dashboard(), null, 2)}\n`);
files.set(join(chart, 'README.md'), readme());
writeOrCheck(files, 'npm run generate');

function readme(): string {
  const rows = readValues().map(({ path, type, fallback, description }) =>
    [`\`${path}\``, type, `\`${fallback}\``, description]
      .map((cell) => cell.replaceAll('|', '\\|'))
      .join(' | '),
  );
  return `\
<!-- Generated from values.yaml and values.schema.json by scripts/generate-chart.ts. Do not edit. -->

# The chart sluice
Installs the operator, the CustomResourceDefinitions and the IngressClass; [Installing](../../docs/install.md) says how.

| value | type | default | what it is |
|---|---|---|---|
${rows.map((row) => `| ${row} |`).join('\n')}
`;
}
