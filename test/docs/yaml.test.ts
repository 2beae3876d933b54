/** Every piece of configuration in the documentation. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { compile } from '../../operator/compile/index.ts';
import { FileSource } from '../../operator/sources/index.ts';
import { type Block, guidePages, type Page } from './markdown.ts';

/** The least that an object of each kind needs, for parts of its `spec` to be put into. */
const LEAST: Readonly<Record<string, Record<string, unknown>>> = {
  EdgeGateway: { listeners: [{ name: 'web', protocol: 'HTTP', port: 8080 }] },
  BackendPool: { targets: [{ ip: '127.0.0.1', port: 3000 }] },
  FirewallRuleList: { targetRefs: [{ group: 'sluice.dev', kind: 'EdgeGateway', name: 'demo' }] },
};

for (const page of guidePages()) {
  const blocks = page.blocks.filter(
    ({ language, directive }) => language === 'yaml' && !directive.startsWith('not run, '),
  );
  if (blocks.length === 0) continue;
  test(`the configuration in ${page.path} is valid`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-docs-'));
    try {
      for (const path of await writeBlocks(page, blocks, folder)) await expectValid(page, path);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

/** @returns what is to be validated by itself: the folders of files, and each block that is no file. */
async function writeBlocks(page: Page, blocks: readonly Block[], folder: string): Promise<Set<string>> {
  const paths = new Set<string>();
  for (const { text, line, directive } of blocks) {
    const file = /^file (.+)$/.exec(directive)?.[1];
    const kind = /^spec of (\w+)$/.exec(directive)?.[1];
    const path = join(folder, file ?? `line-${line}.yaml`);
    await mkdir(dirname(path), { recursive: true });
    if (kind === undefined) await writeFile(path, text);
    else await writeFile(path, withSpec(page, kind, text));
    paths.add(file === undefined ? path : dirname(path));
  }
  return paths;
}

function withSpec(page: Page, kind: string, text: string): string {
  const least = LEAST[kind];
  assert.ok(least !== undefined, `${page.path}: no such kind: ${kind}`);
  const spec = { ...least, ...(parse(text) as object) };
  const objects = [{ apiVersion: 'sluice.dev/v1alpha1', kind, metadata: { name: 'demo' }, spec }];
  return objects.map((object) => `---\n${stringify(object)}`).join('');
}

/** Of a part, only what the kind itself says can be judged, not what its references lead to. */
const REFERENCES = new Set([
  'BackendNotFound',
  'SecretNotFound',
  'InvalidCertificateRef',
  'InvalidCACertificateRef',
  'InvalidClientCertificateRef',
  'NoValidProvider',
  'TargetNotFound',
]);

/** What `sluice validate` does, within this process. */
async function expectValid(page: Page, path: string): Promise<void> {
  const state = await new FileSource([path]).load();
  const { diagnostics } = compile({ resources: state.resources, now: Date.now() });
  const part = /line-(\d+)\.yaml$/.exec(path)?.[1];
  const wrong = [...state.diagnostics, ...diagnostics].filter(
    ({ severity, code }) => severity === 'error' && (part === undefined || !REFERENCES.has(code)),
  );
  assert.deepEqual(
    wrong.map(({ code, field, message }) => `${code} ${field}: ${message}`),
    [],
    `${page.path}${part === undefined ? '' : `:${part}`}`,
  );
  assert.ok(state.resources.length > 0, `${page.path}: no objects`);
}
