import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { CredentialsError, isRecord } from '../errors.ts';

/** One entry of `clusters`, `users` or `contexts`, with what tells where it comes from. */
export interface Entry {
  readonly name: string;
  /** `user "jane" in /home/jane/.kube/config`. */
  readonly what: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** What relative paths start from. */
  readonly directory: string;
}

/** What one context of a kubeconfig names. */
export interface SelectedContext {
  readonly cluster: Entry;
  readonly user: Entry;
  readonly namespace: string;
}

/**
 * Reads kubeconfig files. Where several define the same name, the first one counts, as with kubectl.
 *
 * @param context a name other than the files' `current-context`
 * @throws CredentialsError
 */
export async function readKubeconfig(
  files: readonly string[],
  context: string | null = null,
): Promise<SelectedContext> {
  const documents = await Promise.all(files.map(readDocument));
  const where = files.join(', ');
  const current = documents.map(({ fields }) => fields['current-context']).find((name) => isName(name));
  const name = context ?? current;
  if (!isName(name)) throw new CredentialsError(`${where}: no current-context, and none was given`);
  const find = (list: string, kind: string, wanted: unknown, from: string): Entry => {
    for (const document of documents) {
      const entry = entryOf(document, list, kind, wanted);
      if (entry !== null) return entry;
    }
    throw new CredentialsError(`${where}: ${from}, but there is no such ${kind}`);
  };
  const selected = find('contexts', 'context', name, `the context is ${JSON.stringify(name)}`);
  const { cluster, user, namespace } = selected.fields;
  return {
    cluster: find(
      'clusters',
      'cluster',
      cluster,
      `${selected.what} names cluster ${JSON.stringify(cluster)}`,
    ),
    user: find('users', 'user', user, `${selected.what} names user ${JSON.stringify(user)}`),
    namespace: isName(namespace) ? namespace : 'default',
  };
}

interface KubeconfigDocument {
  readonly path: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

async function readDocument(path: string): Promise<KubeconfigDocument> {
  let fields: unknown;
  try {
    fields = parse(await readFile(path, 'utf8'));
  } catch (error) {
    // The parser's message quotes the text, which may hold a token.
    const isSyntax = error instanceof YAMLParseError;
    const line = isSyntax ? error.linePos?.[0].line : undefined;
    const words = isSyntax ? `not YAML${line === undefined ? '' : ` (line ${line})`}` : wordsOf(error);
    throw new CredentialsError(`${path}: ${words}`);
  }
  if (!isRecord(fields)) throw new CredentialsError(`${path}: not a kubeconfig`);
  return { path, fields };
}

function wordsOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ENOENT' ? 'there is no such file' : code;
}

function entryOf(
  { path, fields }: KubeconfigDocument,
  list: string,
  kind: string,
  name: unknown,
): Entry | null {
  const entries = fields[list];
  if (!Array.isArray(entries)) return null;
  const entry = entries.find((candidate) => isRecord(candidate) && candidate.name === name);
  const content = entry?.[kind];
  if (!isRecord(content)) return null;
  const what = `${kind} ${JSON.stringify(name)} in ${path}`;
  return { name: String(name), what, fields: content, directory: dirname(resolve(path)) };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** @returns `null` when the field is not there. @throws CredentialsError when it is no text. */
export function textField({ fields, what }: Entry, field: string): string | null {
  const value = fields[field] ?? null;
  if (value === null || value === '') return null;
  if (typeof value !== 'string') throw new CredentialsError(`${what}: ${field} is not a string`);
  return value;
}

export function pathField(entry: Entry, field: string): string | null {
  const path = textField(entry, field);
  return path === null || isAbsolute(path) ? path : resolve(entry.directory, path);
}
