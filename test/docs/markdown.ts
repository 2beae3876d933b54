/**
 * The pages of the documentation, and what is in them.
 *
 * A block ```` ```sh ```` is run, in the order of its page; the next block ```` ```text ```` is what it shows. A block
 * ```` ```yaml ```` is validated. A comment on the line before says what is different:
 *
 * - `<!-- test: not run, REASON -->`: shown only
 * - `<!-- test: terminal NAME -->`: in a terminal of its own, where it goes on running
 * - `<!-- test: until shown -->`: repeated until it shows what follows, as somebody does who waits for something
 * - `<!-- test: exit 1 -->`: the exit code is this one
 * - `<!-- test: file PATH -->`: a file that the reader saves
 * - `<!-- test: shown by NAME -->`: what that terminal shows by now
 * - `<!-- test: spec of KIND -->`: a part of the `spec` of such an object
 *
 * And on a line of its own:
 *
 * - `<!-- test: stop NAME -->`: Ctrl-C in that terminal
 * - `<!-- test: in an empty cluster -->`: what follows is run in a cluster where nothing is installed, by the tests of
 *   the cluster; a page that begins so tidies up
 * - `<!-- test: in a cluster with the chat -->`: the same where the operator and the chat run
 * - `<!-- test: on this machine -->`: from here on as at the beginning of a page
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** Where blocks are run. */
const PLACES = ['this machine', 'an empty cluster', 'a cluster with the chat'] as const;
export type Place = (typeof PLACES)[number];

export interface Block {
  /** `sh`, `text`, `yaml` …; empty for a block of no language. */
  readonly language: string;
  readonly text: string;
  /** Where it begins, from 1. */
  readonly line: number;
  /** What the comment before it says, without `test:`; empty without one. */
  readonly directive: string;
  readonly place: Place;
}

export interface Page {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
  /** A directive that stands alone is a block of the language `directive`. */
  readonly blocks: readonly Block[];
  /** The anchors of the headings. */
  readonly anchors: ReadonlySet<string>;
  readonly links: readonly { readonly target: string; readonly line: number }[];
}

/** Every page of the project. */
export function allPages(): Page[] {
  const patterns = ['*.md', 'docs/**/*.md', 'examples/**/*.md', 'bench/*.md'];
  return globSync(patterns, { cwd: root, exclude: ['**/node_modules/**'] })
    .sort()
    .map(readPage);
}

/** The pages that people follow: what they say to type is run. */
export function guidePages(): Page[] {
  return allPages().filter(
    ({ path }) => path === 'README.md' || /^docs\/(?!reference\/|decisions\/)/.test(path),
  );
}

export function readPage(path: string): Page {
  const text = readFileSync(join(root, path), 'utf8');
  const blocks: Block[] = [];
  const anchors = new Set<string>();
  const links: { target: string; line: number }[] = [];
  let open: (Omit<Block, 'text'> & { readonly fence: string; readonly lines: string[] }) | null = null;
  let directive = '';
  let place: Place = 'this machine';
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^(`{3,})(\w*)/.exec(line);
    if (open !== null) {
      if (line === open.fence) {
        blocks.push({ ...open, text: `${open.lines.join('\n')}\n` });
        open = null;
      } else open.lines.push(line);
      continue;
    }
    if (fence !== null) {
      open = { fence: fence[1]!, language: fence[2]!, line: index + 1, lines: [], directive, place };
      directive = '';
      continue;
    }
    if (directive !== '' && line.trim() !== '') {
      throw new Error(`${path}:${index}: a directive must stand right before its block`);
    }
    const comment = /^<!-- test: (.+) -->$/.exec(line)?.[1];
    const isPlace = comment !== undefined && /^(in|on) /.test(comment);
    if (isPlace) place = placeIn(comment, `${path}:${index + 1}`);
    else if (comment?.startsWith('stop ')) {
      blocks.push({ language: 'directive', text: '', line: index + 1, directive: comment, place });
    } else if (comment !== undefined) directive = comment;
    const heading = /^#+ (.*)$/.exec(line)?.[1];
    if (heading !== undefined) anchors.add(anchorOf(heading));
    for (const match of line.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)) {
      links.push({ target: match[1]!, line: index + 1 });
    }
  }
  if (open !== null) throw new Error(`${path}:${open.line}: a block without an end`);
  return { path, text, blocks, anchors, links };
}

function placeIn(comment: string, where: string): Place {
  const name = comment.replace(/^(in|on) /, '');
  const place = PLACES.find((known) => known === name);
  if (place === undefined)
    throw new Error(`${where}: found the place ${name}, expected ${PLACES.join(', ')}`);
  return place;
}

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/**
 * Whether the lines occur in the output, in their order. `…` stands for anything, within a line and as a line.
 * @returns the line that is missing
 */
export function missingLine(expected: string, output: string): string | null {
  const lines = output.split('\n');
  let at = 0;
  for (const line of expected.split('\n').map((text) => text.trim())) {
    if (line === '' || line === '…') continue;
    const found = lines.findIndex((text, index) => index >= at && matches(line, text));
    if (found < 0) return line;
    at = found + 1;
  }
  return null;
}

/** Whether the pieces between the `…` occur, in their order. */
export function matches(pattern: string, text: string): boolean {
  let at = 0;
  for (const piece of pattern.split('…')) {
    const found = text.indexOf(piece.trim(), at);
    if (found < 0) return false;
    at = found + piece.trim().length;
  }
  return true;
}

/**
 * The rows of the table whose first column is headed so; cells without back-ticks.
 * @throws Error where the page has no such table
 */
export function tableOf(page: Page, head: string): string[][] {
  const lines = page.text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  if (start === -1) throw new Error(`${page.path}: no table of ${head}`);
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end === -1 ? undefined : end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll('`', '').trim()),
  );
}
