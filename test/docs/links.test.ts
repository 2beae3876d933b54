/** Every link between pages, and to files of the project. */
import assert from 'node:assert/strict';
import { existsSync, globSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { allPages, root } from './markdown.ts';

const pages = new Map(allPages().map((page) => [page.path, page]));

test('links lead somewhere', () => {
  const broken: string[] = [];
  for (const { path, links } of pages.values()) {
    for (const { target, line } of links) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const found = file === '' ? path : relative(root, join(root, dirname(path), file));
      const exists = existsSync(join(root, found));
      const hasAnchor = anchor === undefined || pages.get(found)?.anchors.has(anchor) === true;
      if (!exists || !hasAnchor) broken.push(`${path}:${line}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('every page of the documentation can be reached from the README', () => {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    const page = pages.get(path);
    if (page === undefined || reached.has(path)) return;
    reached.add(path);
    for (const { target } of page.links) {
      if (/^https?:/.test(target)) continue;
      visit(relative(root, join(root, dirname(path), target.split('#')[0] || path)));
    }
  };
  visit('README.md');
  const unreached = [...pages.keys()].filter((path) => path.startsWith('docs/') && !reached.has(path));
  assert.deepEqual(unreached, []);
});

test('pictures are small enough for a page', () => {
  const files = globSync('docs/images/*', { cwd: root });
  assert.ok(files.length > 0);
  for (const file of files) assert.ok(statSync(join(root, file)).size < 150_000, file);
});
