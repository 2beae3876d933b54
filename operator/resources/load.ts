/** Reading resources from the text of a file. */
import {
  type Diagnostic,
  describeHidden,
  describeValue,
  diagnoseAt,
  sortDiagnostics,
} from './diagnostics.ts';
import { classify, isClusterScoped } from './kinds.ts';
import type { FieldPath, Resource, Source } from './types.ts';
import { parseYaml } from './yaml.ts';

export interface LoadResult {
  /** In the order of the text. Their contents are not checked yet: see `validateResource`. */
  resources: Resource[];
  /** By place. A document with an error is not among the resources. */
  diagnostics: Diagnostic[];
}

interface Skipped {
  kind: string;
  source: Source;
}

interface Sink extends LoadResult {
  skipped: Skipped[];
}

/**
 * Reads the documents of a YAML text. Kinds that Sluice does not read are left out, with one warning that lists them
 * unless they belong to a cluster anyway, such as workloads. It throws for no text whatsoever.
 *
 * @param file The name of the file, for messages.
 */
export function loadResources(text: string, file: string): LoadResult {
  const sink: Sink = { resources: [], diagnostics: [], skipped: [] };
  for (const { value, source, problems } of parseYaml(text, file)) {
    for (const { line, column, ...finding } of problems) {
      const place = { file, locate: () => ({ line, column }) };
      sink.diagnostics.push(diagnoseAt(place, '', [], finding));
    }
    if (value !== undefined && value !== null) loadDocument(value, source, sink);
  }
  if (sink.skipped.length > 0) sink.diagnostics.push(noteSkipped(sink.skipped));
  return { resources: sink.resources, diagnostics: sortDiagnostics(sink.diagnostics) };
}

function loadDocument(value: unknown, source: Source, sink: Sink): void {
  const report = (object: string, path: FieldPath, code: string, found: unknown, expected: string) => {
    sink.diagnostics.push(diagnoseAt(source, object, path, { code, found: describeValue(found), expected }));
  };
  if (!isObject(value)) {
    const expected = 'an object with apiVersion, kind and metadata';
    sink.diagnostics.push(
      diagnoseAt(source, '', [], { code: 'WrongType', found: describeHidden(value), expected }),
    );
    return;
  }
  const { apiVersion, kind } = value;
  if (typeof kind !== 'string' || kind === '') {
    report('', ['kind'], codeOf(kind), kind, 'the kind of the object, such as EdgeGateway');
  }
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    report(
      '',
      ['apiVersion'],
      codeOf(apiVersion),
      apiVersion,
      'the version of the kind, such as sluice.dev/v1alpha1',
    );
  }
  if (typeof kind !== 'string' || kind === '' || typeof apiVersion !== 'string' || apiVersion === '') return;

  const classified = classify(apiVersion, kind);
  if (classified.is === 'unrelated') return;
  if (classified.is === 'skipped') {
    sink.skipped.push({ kind, source });
  } else if (classified.is === 'list') {
    loadList(value.items, source, sink);
  } else if (classified.is === 'unknown') {
    const { field, found, expected } = classified;
    sink.diagnostics.push(diagnoseAt(source, '', [field], { code: 'UnknownKind', found, expected }));
  } else {
    const metadata = isObject(value.metadata) ? value.metadata : {};
    const { name, labels } = metadata;
    if (typeof name !== 'string' || name === '') {
      report(classified.kind, ['metadata', 'name'], codeOf(name), name, 'the name of the object');
      return;
    }
    sink.resources.push({
      apiVersion,
      kind: classified.kind,
      namespace: isClusterScoped(classified.kind) ? '' : namespaceOf(metadata),
      name,
      labels: textsOf(labels),
      body: value,
      source,
    } as unknown as Resource);
  }
}

/** `kind: List`, as `kubectl get -o yaml` prints several objects. */
function loadList(items: unknown, source: Source, sink: Sink): void {
  if (!Array.isArray(items)) {
    const finding = { code: codeOf(items), found: describeValue(items), expected: 'a list of objects' };
    sink.diagnostics.push(diagnoseAt(source, 'List', ['items'], finding));
    return;
  }
  items.forEach((item: unknown, index) => {
    loadDocument(item, within(source, ['items', index]), sink);
  });
}

function within(source: Source, prefix: FieldPath): Source {
  return {
    file: source.file,
    locate: (path) => source.locate([...prefix, ...path]),
    written: (path) => source.written?.([...prefix, ...path]),
  };
}

const maxKindsShown = 20;

function noteSkipped(skipped: Skipped[]): Diagnostic {
  const counts = new Map<string, number>();
  for (const { kind } of skipped) {
    const name = kind.slice(0, 80);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const kinds = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = kinds
    .slice(0, maxKindsShown)
    .map(([kind, count]) => (count === 1 ? kind : `${kind} (${count} times)`))
    .concat(kinds.length > maxKindsShown ? [`and ${kinds.length - maxKindsShown} more`] : []);
  return diagnoseAt(skipped[0]!.source, '', [], {
    severity: 'warning',
    code: 'SkippedKinds',
    message: `left out, since Sluice does not read objects of this kind from files: ${shown.join(', ')}`,
  });
}

function namespaceOf({ namespace }: Record<string, unknown>): string {
  return typeof namespace === 'string' ? namespace : 'default';
}

function codeOf(value: unknown): string {
  return value === undefined || value === null || value === '' ? 'MissingField' : 'WrongType';
}

function textsOf(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
