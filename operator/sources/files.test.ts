import assert from 'node:assert/strict';
import { type FSWatcher, watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { FileSource, type FileSourceOptions } from './files.ts';
import type { SourceState } from './source.ts';

let folder: string;
let sources: FileSource[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-files-'));
  sources = [];
});

afterEach(async () => {
  for (const source of sources) source.close();
  await rm(folder, { recursive: true });
});

function pool(name: string, port = 80): string {
  return `apiVersion: sluice.dev/v1alpha1\nkind: BackendPool\nmetadata: {name: ${name}}\nspec: {targets: [{ip: 127.0.0.1, port: ${port}}]}\n`;
}

function open(paths: readonly string[], options: FileSourceOptions = {}): FileSource {
  const source = new FileSource(paths, { debounceMs: 20, maxDelayMs: 500, resyncMs: 3_600_000, ...options });
  sources.push(source);
  return source;
}

/** The states that a source tells of, to be awaited one by one. */
class States {
  readonly all: SourceState[] = [];
  #wake: () => void = () => {};

  constructor(source: FileSource) {
    source.watch((state) => {
      this.all.push(state);
      this.#wake();
    });
  }

  /** The latest state, once it holds these objects. */
  async until(...names: string[]): Promise<SourceState> {
    for (;;) {
      const state = this.all.at(-1);
      if (state !== undefined && namesOf(state).join() === names.join()) return state;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The latest state, once it is not complete. */
  async untilIncomplete(): Promise<SourceState> {
    for (;;) {
      const state = this.all.at(-1);
      if (state?.complete === false) return state;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function namesOf(state: SourceState): string[] {
  return state.resources.map(({ name }) => name);
}

test('reads a folder in order of names, with folders in it, without what is hidden or no YAML', async () => {
  await mkdir(join(folder, 'b'));
  await mkdir(join(folder, '.hidden'));
  await writeFile(join(folder, 'c.yml'), pool('third'));
  await writeFile(join(folder, 'b', 'x.yaml'), `${pool('second')}---\n${pool('second-too')}`);
  await writeFile(join(folder, 'a.yaml'), pool('first'));
  await writeFile(join(folder, '.a.yaml'), pool('hidden'));
  await writeFile(join(folder, '.hidden', 'a.yaml'), pool('hidden'));
  await writeFile(join(folder, 'notes.txt'), 'not: [yaml');
  const state = await open([folder]).load();
  assert.deepEqual(namesOf(state), ['first', 'second', 'second-too', 'third']);
  assert.deepEqual(state.diagnostics, []);
  assert.equal(state.complete, true);
  assert.equal(state.resources[0]?.source.file, join(folder, 'a.yaml'));
});

test('a file that is named twice, or linked to, counts once; links in a circle end', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('one'));
  await symlink('a.yaml', join(folder, 'b.yaml'));
  await symlink('.', join(folder, 'loop'));
  const state = await open([file, folder, file]).load();
  assert.deepEqual(namesOf(state), ['one']);
  assert.equal(state.complete, true);
});

test('what cannot be read is reported, and the state is not complete', async () => {
  await mkdir(join(folder, 'empty'));
  await writeFile(join(folder, 'good.yaml'), pool('good'));
  await writeFile(join(folder, 'bad.yaml'), 'a: [');
  await writeFile(join(folder, 'latin.yaml'), Buffer.from('a: \xe9', 'latin1'));
  await symlink('nowhere', join(folder, 'link.yaml'));
  const state = await open([folder, join(folder, 'gone.yaml'), join(folder, 'empty')]).load();
  assert.deepEqual(namesOf(state), ['good']);
  assert.equal(state.complete, false);
  const told = state.diagnostics.map(({ file, code }) => `${file.slice(folder.length + 1)} ${code}`);
  assert.deepEqual(told.sort(), [
    'bad.yaml InvalidSyntax',
    'empty UnreadableFile',
    'gone.yaml UnreadableFile',
    'latin.yaml InvalidSyntax',
    'link.yaml UnreadableFile',
  ]);
});

test('a file that is written in place', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('one'));
  const source = open([file]);
  await source.load();
  const states = new States(source);
  await writeFile(file, pool('two'));
  await states.until('two');
  assert.equal(source.polling, false);
});

test('a change between load and watch is not missed', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('one'));
  const source = open([folder]);
  await source.load();
  await writeFile(file, pool('two'));
  await new States(source).until('two');
});

test('a file without a byte is one that is being written: nothing is taken away', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, '');
  await writeFile(join(folder, 'b.yaml'), '# empty on purpose\n');
  const { complete, diagnostics } = await open([folder]).load();
  assert.equal(complete, false);
  assert.deepEqual(
    diagnostics.map((diagnostic) => `${diagnostic.file} ${diagnostic.message}`),
    [`${file} found an empty file, as when it is being written, expected objects, or at least a comment`],
  );
});

test('a file that is replaced by renaming, again and again', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('zero'));
  const source = open([file]);
  await source.load();
  const states = new States(source);
  for (const name of ['one', 'two', 'three']) {
    await writeFile(join(folder, '.a.yaml.swp'), pool(name));
    await rename(join(folder, '.a.yaml.swp'), file);
    await states.until(name);
  }
});

test('a ConfigMap volume that swaps its link', async () => {
  const write = async (version: string, name: string) => {
    await mkdir(join(folder, `..${version}`));
    await writeFile(join(folder, `..${version}`, 'a.yaml'), pool(name));
  };
  await write('1', 'one');
  await symlink('..1', join(folder, '..data'));
  await symlink(join('..data', 'a.yaml'), join(folder, 'a.yaml'));
  for (const paths of [[folder], [join(folder, 'a.yaml')]]) {
    const source = open(paths);
    assert.equal((await source.load()).resources.length, 1);
    const states = new States(source);
    const version = String(paths[0] === folder ? 2 : 3);
    await write(version, `version-${version}`);
    await symlink(`..${version}`, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await states.until(`version-${version}`);
    source.close();
  }
});

test('new folders, removed files, and a folder that is made anew', async () => {
  const named = join(folder, 'named');
  await mkdir(named);
  await writeFile(join(named, 'a.yaml'), pool('one'));
  const source = open([named]);
  await source.load();
  const states = new States(source);
  await mkdir(join(named, 'more'));
  await writeFile(join(named, 'more', 'b.yaml'), pool('two'));
  await states.until('one', 'two');
  await unlink(join(named, 'a.yaml'));
  await states.until('two');
  await rm(named, { recursive: true });
  await states.untilIncomplete();
  await mkdir(named);
  await writeFile(join(named, 'c.yaml'), pool('three'));
  await states.until('three');
  await writeFile(join(named, 'c.yaml'), pool('four'));
  await states.until('four');
});

test('changes that come together are told together', async () => {
  for (let i = 0; i < 20; i++) await writeFile(join(folder, `${i}.yaml`), pool(`old-${i}`));
  const source = open([folder], { debounceMs: 500, maxDelayMs: 60_000 });
  await source.load();
  const states = new States(source);
  const names = (await readdir(folder)).sort();
  for (const name of names) await writeFile(join(folder, name), pool(`new-${name.slice(0, -5)}`));
  await states.until(...names.map((name) => `new-${name.slice(0, -5)}`));
  assert.equal(states.all.length, 1);
});

test('changes without a pause are told after the maximum delay', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('start'));
  const source = open([file], { debounceMs: 60_000, maxDelayMs: 100 });
  await source.load();
  const states = new States(source);
  let writing = true;
  const writer = (async () => {
    for (let port = 1; writing; port++) await writeFile(file, pool('busy', port));
  })();
  while (states.all.length < 2) await new Promise((resolve) => setImmediate(resolve));
  writing = false;
  await writer;
});

test('the same content, written again, is not told', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('one'));
  const source = open([file], { debounceMs: 200 });
  await source.load();
  const states = new States(source);
  await writeFile(file, pool('one'));
  await writeFile(join(folder, 'unrelated.yaml'), pool('other'));
  await writeFile(file, pool('two'));
  await states.until('two');
  assert.equal(states.all.length, 1);
});

test('where the system cannot tell of changes, the files are looked at', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('one'));
  const refuse = (() => {
    throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  }) as unknown as typeof watch;
  const source = open([file], { watch: refuse, pollMs: 10 });
  await source.load();
  const states = new States(source);
  await writeFile(file, pool('two'));
  await states.until('two');
  assert.equal(source.polling, true);
  await writeFile(file, pool('three'));
  await states.until('three');
});

test('a watch that breaks down later is replaced by looking', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('one'));
  const watchers: FSWatcher[] = [];
  const deaf = ((path: string) => {
    const watcher = watch(path, () => {});
    watchers.push(watcher);
    return watcher;
  }) as unknown as typeof watch;
  const source = open([file], { watch: deaf, pollMs: 10 });
  await source.load();
  const states = new States(source);
  while (watchers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const [watcher] = watchers;
  assert.ok(watcher);
  const closed = new Promise((resolve) => watcher.once('close', resolve));
  watcher.emit('error', new Error('watch is gone'));
  await closed;
  await writeFile(file, pool('two'));
  await states.until('two');
  assert.equal(source.polling, true);
});

test('what no watch has told of is found by looking now and then', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('one'));
  const deaf = ((path: string) => watch(path, () => {})) as unknown as typeof watch;
  const source = open([file], { watch: deaf, resyncMs: 20 });
  await source.load();
  const states = new States(source);
  await writeFile(file, pool('two'));
  await states.until('two');
  await writeFile(file, pool('three'));
  await states.until('three');
});

test('nothing is told after close', async () => {
  const file = join(folder, 'a.yaml');
  await writeFile(file, pool('one'));
  const source = open([file]);
  await source.load();
  const states = new States(source);
  const other = open([file]);
  await other.load();
  const others = new States(other);
  source.close();
  await writeFile(file, pool('two'));
  await others.until('two');
  assert.deepEqual(states.all, []);
});
