/** Follows a page of the documentation: types what it says, and compares what is shown. */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.ts';
import { type Block, missingLine, type Page, root } from './markdown.ts';
import { LOCAL_SHELL, type Shell, Terminal } from './terminal.ts';

const REPEAT_MS = 250;

export interface FollowOptions {
  /** Those of the page's blocks that are followed, in order. */
  readonly blocks: readonly Block[];
  /** What runs in a terminal; that of this machine, unless given. */
  readonly shell?: Shell;
  /** How long something may take to be shown. */
  readonly shownTimeoutMs?: number;
}

/** Follows some blocks of a page in a fresh clone of the project. */
export async function follow(page: Page, options: FollowOptions): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'sluice-docs-'));
  const run = new PageRun(page, scratch, options);
  try {
    await run.start();
  } finally {
    await run.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

export function isRun({ language, directive }: Block): boolean {
  return language === 'sh' && !directive.startsWith('not run, ');
}

class PageRun {
  readonly #page: Page;
  readonly #scratch: string;
  readonly #blocks: readonly Block[];
  readonly #shell: Shell;
  readonly #shownTimeoutMs: number;
  readonly #clone: string;
  readonly #terminals = new Map<string, { terminal: Terminal; output: () => string }>();
  readonly #main: Terminal;

  constructor(page: Page, scratch: string, options: FollowOptions) {
    const { blocks, shell = LOCAL_SHELL, shownTimeoutMs = 30_000 } = options;
    this.#page = page;
    this.#scratch = scratch;
    this.#blocks = blocks;
    this.#shell = shell;
    this.#shownTimeoutMs = shownTimeoutMs;
    this.#clone = join(scratch, 'sluice');
    this.#main = this.#open('main', scratch);
  }

  async start(): Promise<void> {
    await fillClone(this.#clone);
    await this.#main.run('cd sluice');
    for (const [index, block] of this.#blocks.entries()) {
      try {
        await this.#follow(block, expectedOf(this.#blocks, index));
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

  #open(name: string, folder: string): Terminal {
    return new Terminal(name, { scratch: this.#scratch, cwd: folder, shell: this.#shell });
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
    const deadline = performance.now() + this.#shownTimeoutMs;
    while (true) {
      const { output } = await this.#main.run(text);
      if (missingLine(expected, output) === null) return;
      if (performance.now() > deadline) expectShown(text, expected, output);
      await delay(REPEAT_MS);
    }
  }

  async #startTerminal(name: string, text: string, expected: string): Promise<void> {
    assert.ok(!this.#terminals.has(name), `the terminal ${name} is in use`);
    const terminal = this.#open(name, this.#clone);
    const output = await terminal.start(text);
    this.#terminals.set(name, { terminal, output });
    await this.#shownBy(name, expected);
  }

  async #shownBy(name: string, expected: string): Promise<void> {
    const running = this.#terminals.get(name);
    assert.ok(running !== undefined, `no terminal ${name}`);
    const { output } = running;
    await until('', () => missingLine(expected, output()) === null, this.#shownTimeoutMs).catch(() => {
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
