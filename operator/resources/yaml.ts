/**
 * YAML text to plain values, read as the Kubernetes tools read it, with the place of every field kept.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  type Scalar,
  type ScalarTag,
  visit,
  type YAMLError,
} from 'yaml';
import type { FieldPath, Source } from './types.ts';

/** How far aliases may multiply the size of a document. */
const maxAliasCount = 100;
/** How deep maps and lists may be nested. */
const maxDepth = 64;
/** The size of one file, in UTF-16 code units. */
const maxTextLength = 32 * 1024 * 1024;

export interface YamlProblem {
  code: 'InvalidSyntax' | 'DuplicateEntry' | 'TooLarge';
  line: number;
  column: number;
  message: string;
}

export interface YamlDocument {
  /** Undefined when the document is empty or has problems. */
  value: unknown;
  source: Source;
  problems: YamlProblem[];
}

/** The documents of a text. It throws for no text whatsoever. */
export function parseYaml(text: string, file: string): YamlDocument[] {
  if (text.length > maxTextLength) {
    return [broken(file, { ...tooLarge, message: `the file is larger than ${maxTextLength} characters` })];
  }
  const lines = new LineCounter();
  let documents: Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      logLevel: 'silent',
      merge: true,
      customTags: (tags) => [...kubernetesScalars, ...tags],
    });
    documents = 'empty' in parsed ? [] : parsed;
  } catch (error) {
    // The parser descends by recursion.
    if (error instanceof RangeError) return [broken(file, tooDeep)];
    throw error;
  }
  return documents.map((document) => read(document, lines, file));
}

function read(document: Document.Parsed, lines: LineCounter, file: string): YamlDocument {
  const source = sourceOf(document, lines, file);
  const problems = [...document.errors, ...document.warnings.filter(isMistake)].map((error) => ({
    ...explain(error),
    ...placeOf(lines, error.pos[0]),
  }));
  if (problems.length > 0) return { value: undefined, source, problems };
  const start = source.locate([]);
  try {
    const value = document.toJS({ maxAliasCount }) as unknown;
    if (isDeeper(value, maxDepth)) return { value: undefined, source, problems: [{ ...tooDeep, ...start }] };
    return { value, source, problems };
  } catch (error) {
    // What the library throws here is about the text: aliases to nothing, aliases that multiply, merge keys
    // on something else than a map, or recursion too deep for the stack.
    if (error instanceof RangeError)
      return { value: undefined, source, problems: [{ ...tooDeep, ...start }] };
    return {
      value: undefined,
      source,
      problems: [danglingAlias(document, lines) ?? { ...badAlias, ...start }],
    };
  }
}

/**
 * Plain scalars that YAML 1.1, which the Kubernetes tools still read, takes for booleans and numbers.
 * Read them the same way here, so that `mode: off` is refused on the laptop and not only by the API server.
 */
const kubernetesScalars: ScalarTag[] = [
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/,
    resolve: (text) => /^(?:y|on)/i.test(text),
  },
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^[-+]?(?:0b[01_]+|0[0-7_]+|[1-9][0-9_]*_[0-9_]*)$/,
    resolve: (text) => integerOf(text.replaceAll('_', '')),
  },
];

function integerOf(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[-+]/, '');
  if (digits.startsWith('0b')) return sign * Number.parseInt(digits.slice(2), 2);
  return sign * Number.parseInt(digits, digits.startsWith('0') ? 8 : 10);
}

/** Warnings that Kubernetes' own parser treats as errors, or that change what the author meant. */
function isMistake(warning: YAMLError): boolean {
  return warning.code === 'TAG_RESOLVE_FAILED' || warning.code === 'BAD_DIRECTIVE';
}

const tooLarge = { code: 'TooLarge' as const, line: 1, column: 1 };
const tooDeep = { ...tooLarge, message: `maps and lists are nested deeper than ${maxDepth} levels` };
const badAlias = {
  ...tooLarge,
  message: `aliases (*name) or merge keys (<<) lead to something that is not a map, or to more than ${maxAliasCount} copies`,
};

function danglingAlias(document: Document.Parsed, lines: LineCounter): YamlProblem | undefined {
  let problem: YamlProblem | undefined;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document)) return undefined;
      const message = 'an alias (*name) refers to an anchor (&name) that does not stand above it';
      problem = { code: 'InvalidSyntax', message, ...placeOf(lines, alias.range?.[0] ?? 0) };
      return visit.BREAK;
    },
  });
  return problem;
}

/** The library's own texts may quote the document, and with it a secret; these do not. */
const sentences: Partial<Record<YAMLError['code'], string>> = {
  ALIAS_PROPS: 'an alias (*) bears a tag (!) or an anchor (&) of its own',
  BAD_ALIAS: 'an alias (*) has no name, or one that ends in a colon',
  BAD_DIRECTIVE: 'a line that begins with % is no directive of YAML 1.1 or 1.2',
  BAD_DQ_ESCAPE: 'a text in double quotes holds an escape sequence (\\) that does not exist',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_SCALAR_START: 'a text that begins with @ or ` must be quoted',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " on the same line; quote the value if it is a text',
  BLOCK_IN_FLOW: 'a "- " or a second ": " stands within braces or brackets; quote the value if it is a text',
  DUPLICATE_KEY: 'the key occurs twice in the same map; is a line --- between two objects missing?',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters',
  MISSING_CHAR: 'a quote, bracket, comma or space is missing',
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines; a ":" or a quote is missing',
  MULTIPLE_ANCHORS: 'a value bears two anchors (&)',
  MULTIPLE_TAGS: 'a value bears two tags (!)',
  RESOURCE_EXHAUSTION: tooDeep.message,
  TAB_AS_INDENT: 'a tab stands where YAML allows only spaces',
  TAG_RESOLVE_FAILED: 'the value does not fit its tag (!), or the tag does not exist',
  UNEXPECTED_TOKEN: 'something stands where YAML expects something else; a ":", "-" or quote is missing',
};

function explain(error: YAMLError): Pick<YamlProblem, 'code' | 'message'> {
  const message = sentences[error.code] ?? 'this is not valid YAML';
  if (error.code === 'DUPLICATE_KEY') return { code: 'DuplicateEntry', message };
  return { code: error.code === 'RESOURCE_EXHAUSTION' ? 'TooLarge' : 'InvalidSyntax', message };
}

function broken(file: string, problem: YamlProblem): YamlDocument {
  const source = { file, locate: () => ({ line: 1, column: 1 }), written: () => undefined };
  return { value: undefined, source, problems: [problem] };
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((child) => isDeeper(child, levels - 1));
}

function sourceOf(document: Document.Parsed, lines: LineCounter, file: string): Source {
  return {
    file,
    locate(path) {
      return placeOf(lines, find(document, path).offset);
    },
    written(path) {
      const { node, whole } = find(document, path);
      return whole && isScalar(node) ? (node as Scalar.Parsed).source : undefined;
    },
  };
}

type Found = { node: ParsedNode | null; offset: number; whole: boolean };

/** The node at the path, or the nearest one above it; `whole` tells whether the path was followed to its end. */
function find(document: Document.Parsed, path: FieldPath): Found {
  let node = follow(document, document.contents);
  let offset = node?.range[0] ?? document.range[0];
  for (const key of path) {
    if (isMap<ParsedNode, ParsedNode | null>(node)) {
      const pair = pairOf(document, node, String(key));
      if (!pair) return { node, offset, whole: false };
      offset = pair.key.range[0];
      node = follow(document, pair.value);
    } else if (isSeq<ParsedNode>(node)) {
      const item = node.items[Number(key)];
      if (!item) return { node, offset, whole: false };
      offset = item.range[0];
      node = follow(document, item);
    } else {
      return { node, offset, whole: false };
    }
  }
  return { node, offset, whole: true };
}

interface ParsedMap {
  items: { key: ParsedNode; value: ParsedNode | null }[];
}

function pairOf(
  document: Document.Parsed,
  map: ParsedMap,
  key: string,
  depth = 0,
): ParsedMap['items'][number] | undefined {
  const own = map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
  if (own || depth === maxDepth) return own;
  for (const pair of map.items) {
    if (!isScalar(pair.key) || pair.key.source !== '<<') continue;
    const merged = follow(document, pair.value);
    for (const item of isSeq<ParsedNode>(merged) ? merged.items : [merged]) {
      const source = follow(document, item);
      const inherited = isMap(source) ? pairOf(document, source as ParsedMap, key, depth + 1) : undefined;
      if (inherited) return inherited;
    }
  }
  return undefined;
}

function follow(document: Document.Parsed, node: ParsedNode | null): ParsedNode | null {
  return isAlias(node) ? ((node.resolve(document) as ParsedNode | undefined) ?? null) : node;
}

function placeOf(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}
