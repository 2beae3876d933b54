import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../test/support/processes.ts';

const CLI = join(import.meta.dirname, 'main.ts');

test('a file that cannot be read leaves no word about references, which may lead there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-validate-'));
  try {
    await writeFile(join(folder, 'a.yaml'), 'kind: [\n');
    const gateway = {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EdgeGateway',
      metadata: { name: 'a' },
      spec: {
        listeners: [{ name: 'web', protocol: 'HTTP', port: 99999 }],
        routes: [{ name: 'all', backend: { pool: 'in-a-yaml' } }],
      },
    };
    await writeFile(join(folder, 'b.yaml'), JSON.stringify(gateway));
    const { code, output } = await run(process.execPath, [CLI, 'validate', '-f', folder]);
    assert.equal(code, 1);
    assert.match(output, /a\.yaml:2:1: /);
    assert.match(output, /b\.yaml:1:\d+: EdgeGateway default\/a: spec\.listeners\[0\]\.port: found 99999/);
    assert.doesNotMatch(output, /in-a-yaml/);
    assert.match(output, /1 object, 2 errors, 0 warnings/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
