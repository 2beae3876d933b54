/** Every command of the documentation, page by page, and what it shows. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { type Block, guidePages, type Page } from './markdown.ts';
import { follow, isRun } from './page-run.ts';

for (const page of guidePages()) {
  const blocks = page.blocks.filter(({ place }) => place === 'this machine');
  if (!blocks.some(isRun)) continue;
  test(`${page.path} shows what happens`, async () => {
    await expectFreePorts(page, blocks);
    await follow(page, { blocks });
  });
}

test('no command of the documentation needs the network, or installs anything', () => {
  for (const page of guidePages()) {
    for (const { text, line } of page.blocks.filter(isRun)) {
      assert.doesNotMatch(
        text,
        /\b(sudo|apt|npx|npm (ci|install|i)|git clone|brew)\b/,
        `${page.path}:${line}`,
      );
      for (const [url] of text.matchAll(/https?:\/\/[^\s'"]+/g)) {
        assert.match(url, /^https?:\/\/(localhost|127\.0\.0\.1)\b/, `${page.path}:${line}`);
      }
    }
  }
});

/** The documentation names ports, so they must be free. */
async function expectFreePorts(page: Page, blocks: readonly Block[]): Promise<void> {
  const ports = new Set<number>();
  for (const { text } of blocks) {
    for (const match of text.matchAll(/(?:localhost|127\.0\.0\.1):(\d{4,5})|\bport: (\d{4,5})/g)) {
      ports.add(Number(match[1] ?? match[2]));
    }
  }
  for (const port of ports) {
    const server = createServer();
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening').catch(() =>
      assert.fail(
        `${page.path} uses port ${port}, which another program has at the moment: end that one first`,
      ),
    );
    server.close();
    await once(server, 'close');
  }
}
