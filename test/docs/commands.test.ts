/** Every command of the documentation, page by page, and what it shows. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.ts';
import { type Block, guidePages, missingLine, type Page, root } from './markdown.ts';
import { Terminal } from './terminal.ts';

const SHOWN_TIMEOUT_MS = 30_000;
const REPEAT_MS = 250;

for (const page of guidePages()) {
  if (!page.blocks.some(isRun)) continue;
  test(`${page.path} shows what happens`, async () => {
    await expectFreePorts(page);
    const scratch = await mkdtemp(join(tmpdir(), 'sluice-docs-'));
    const run = new PageRun(page, scratch);
    try {
      await run.start();
    } finally {
      await run.stop();
      await rm(scratch, { recursive: true, force: true });
    }
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

function isRun({ language, directive }: Block): boolean {
  return language === 'sh' && !directive.startsWith('not run, ');
}

/** A page as its reader follows it, in a fresh clone of the project. */
class PageRun {
  readonly #page: Page;
  readonly #scratch: string;
  readonly #clone: string;
  readonly #terminals = new Map<string, { terminal: Terminal; output: () => string }>();
  readonly #main: Terminal;

  constructor(page: Page, scratch: string) {
    this.#page = page;
    this.#scratch = scratch;
    this.#clone = join(scratch, 'sluice');
    this.#main = new Terminal('main', scratch, scratch);
  }

  async start(): Promise<void> {
    await fillClone(this.#clone);
    await this.#main.run('cd sluice');
    const { blocks } = this.#page;
    for (const [index, block] of blocks.entries()) {
      try {
        await this.#follow(block, expectedOf(blocks, index));
      } catch (error) {
        const what = error instanceof Error ? error.message : String(error);
        assert.fail(`${this.#page.path}:${block.line}: ${what}`);
      }
    }
  }

  async stop(): Promise<void> {
    // Clients first: a gateway waits for them.
    await this.#main.close();
    for (const name of [...this.#terminals.keys()].reverse()) await this.#stopTerminal(name);
  }

  async #follow(block: Block, expected: string): Promise<void> {
    const [verb = '', ...words] = block.directive.split(' ');
    const name = words.at(-1) ?? '';
    if (verb === 'stop') await this.#stopTerminal(name);
    else if (verb === 'file') await this.#save(name, block.text);
    else if (verb === 'shown') await this.#shownBy(name, block.text);
    else if (!isRun(block)) return;
    else if (verb === 'terminal') await this.#startTerminal(name, block.text, expected);
    else if (verb === 'until') await this.#repeat(block.text, expected);
    else await this.#run(block.text, expected, verb === 'exit' ? Number(name) : 0);
  }

  async #run(text: string, expected: string, expectedCode: number): Promise<void> {
    const { exitCode, output } = await this.#main.run(text);
    assert.equal(exitCode, expectedCode, `the exit code of\n${text}\n${output}`);
    expectShown(text, expected, output);
  }

  /** The reader sees that it is not yet so, and asks again. */
  async #repeat(text: string, expected: string): Promise<void> {
    assert.notEqual(expected, '', 'nothing to wait for');
    const deadline = performance.now() + SHOWN_TIMEOUT_MS;
    while (true) {
      const { output } = await this.#main.run(text);
      if (missingLine(expected, output) === null) return;
      if (performance.now() > deadline) expectShown(text, expected, output);
      await delay(REPEAT_MS);
    }
  }

  async #startTerminal(name: string, text: string, expected: string): Promise<void> {
    assert.ok(!this.#terminals.has(name), `the terminal ${name} is in use`);
    const terminal = new Terminal(name, this.#scratch, this.#clone);
    const output = await terminal.start(text);
    this.#terminals.set(name, { terminal, output });
    await this.#shownBy(name, expected);
  }

  async #shownBy(name: string, expected: string): Promise<void> {
    const running = this.#terminals.get(name);
    assert.ok(running !== undefined, `no terminal ${name}`);
    const { output } = running;
    await until('', () => missingLine(expected, output()) === null, SHOWN_TIMEOUT_MS).catch(() => {
      expectShown(`the terminal ${name}`, expected, output());
    });
  }

  async #stopTerminal(name: string): Promise<void> {
    await this.#terminals.get(name)?.terminal.close();
    this.#terminals.delete(name);
  }

  async #save(path: string, text: string): Promise<void> {
    const file = join(this.#clone, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

function expectShown(what: string, expected: string, output: string): void {
  const missing = missingLine(expected, output);
  assert.equal(missing, null, `not shown: ${missing}\nby ${what}\nbut this is:\n${output}`);
}

/** The block of output that belongs to the command at the index. */
function expectedOf(blocks: readonly Block[], index: number): string {
  const next = blocks[index + 1];
  return next?.language === 'text' && next.directive === '' ? next.text : '';
}

/** What a clone has, without copying it: a page may make files in it, and change the examples. */
async function fillClone(clone: string): Promise<void> {
  await mkdir(clone);
  for (const name of await readdir(root)) {
    if (name === '.git') continue;
    if (name === 'examples') await cp(join(root, name), join(clone, name), { recursive: true });
    else await symlink(join(root, name), join(clone, name));
  }
}

/** The documentation names ports, so they must be free. */
async function expectFreePorts(page: Page): Promise<void> {
  const ports = new Set<number>();
  for (const { text } of page.blocks) {
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
