/** What is wrong with a resource, told so that its author can repair it. */
import type { FieldPath, Resource, Source } from './types.ts';

export const diagnosticCodes = {
  BrokenRule: 'a rule of the CRD over several fields does not hold',
  DuplicateEntry: 'an entry of a list, or a key, occurs twice',
  InvalidSyntax: 'the text is not YAML',
  MissingField: 'a required field is not set',
  SkippedKinds: 'documents of kinds that Sluice does not read',
  TooLarge: 'a file, a document or its nesting goes beyond a limit',
  UnknownField: 'a field that the kind does not have',
  UnknownKind: 'a kind or version that does not exist',
  WrongFormat: 'a text is not of the form that is asked for',
  WrongLength: 'a text, list or map is too short or too long',
  WrongRange: 'a number is too small or too large',
  WrongType: 'a value is of another type',
  WrongValue: 'a value is none of those that are allowed',
} as const;

export type DiagnosticCode = keyof typeof diagnosticCodes;

export interface Diagnostic {
  severity: 'error' | 'warning';
  /** One of `diagnosticCodes`, or a code of whoever else reports on resources, such as the compiler. */
  code: string;
  /** Such as `EdgeGateway default/chat`; empty when the document does not say what it is. */
  object: string;
  file: string;
  /** Lines and columns count from 1. */
  line: number;
  column: number;
  /** Such as `spec.listeners[0].port`; empty when the whole document is meant. */
  field: string;
  /** What is there, in words. Never the value of a secret. */
  found?: string;
  /** What should be there, in words. */
  expected?: string;
  /** The sentence that people read, without place, object and field. */
  message: string;
}

interface Finding {
  severity?: Diagnostic['severity'];
  code: string;
  found?: string;
  expected?: string;
  /** Made of `found` and `expected` when left out. */
  message?: string;
}

/** A diagnostic about a field of a resource. */
export function diagnose(
  resource: Pick<Resource, 'kind' | 'namespace' | 'name' | 'source'>,
  path: FieldPath,
  finding: Finding,
): Diagnostic {
  return diagnoseAt(resource.source, objectName(resource), path, finding);
}

/** A diagnostic about a place in a document that may not be a resource. */
export function diagnoseAt(source: Source, object: string, path: FieldPath, finding: Finding): Diagnostic {
  const { line, column } = source.locate(path);
  const { severity = 'error', code, found, expected } = finding;
  const message = finding.message ?? `found ${found}, expected ${expected}`;
  return {
    severity,
    code,
    object,
    file: source.file,
    line,
    column,
    field: fieldName(path),
    ...(found === undefined ? {} : { found }),
    ...(expected === undefined ? {} : { expected }),
    message,
  };
}

/** The longest valid name: only an invalid one is cut. */
const MAX_NAME = 253;

/** `EdgeGateway default/chat`, `IngressClass sluice`. */
export function objectName({ kind, namespace, name }: Pick<Resource, 'kind' | 'namespace' | 'name'>): string {
  const prefix = namespace === '' ? '' : `${shorten(namespace, MAX_NAME)}/`;
  return `${kind} ${prefix}${shorten(name, MAX_NAME)}`;
}

/**
 * One line for a person, such as `file:7:11: EdgeGateway default/chat: spec.replicas: found …`, without the place
 * where there is no file; the word `warning` stands in it unless it is left to whoever prints the line.
 */
export function formatDiagnostic(diagnostic: Diagnostic, { severity = true } = {}): string {
  const { object, file, line, column, field, message } = diagnostic;
  const place = file === '' ? '' : `${file}:${line}:${column}`;
  const word = severity && diagnostic.severity === 'warning' ? 'warning' : '';
  const parts = [place, word, object, field, message].filter((part) => part !== '');
  return oneLine(parts.join(': '));
}

/** By place: file, line, column, then field and message. */
export function sortDiagnostics(diagnostics: Diagnostic[]): Diagnostic[] {
  return diagnostics.sort(
    (a, b) =>
      compare(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      compare(a.field, b.field) ||
      compare(a.message, b.message),
  );
}

/** The path as Kubernetes writes it: `spec.listeners[0].port`, `data[tls.crt]`. */
export function fieldName(path: FieldPath): string {
  let name = '';
  for (const key of path) {
    if (typeof key === 'number') name += `[${key}]`;
    else if (key.length <= 80 && /^[A-Za-z_$][\w$-]*$/.test(key)) name += name === '' ? key : `.${key}`;
    else name += `[${shorten(key, 80)}]`;
  }
  return name;
}

/** A value in words; long ones are cut. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return shorten(JSON.stringify(value), 80);
  return String(value);
}

/** The same for a value that must not be shown. */
export function describeHidden(value: unknown): string {
  if (typeof value === 'string') return `a text of ${characters(value.length)} (not shown)`;
  if (typeof value === 'number' || typeof value === 'boolean') return `a ${typeof value} (not shown)`;
  return describeValue(value);
}

/** `1 character`, `2 characters`. */
export function characters(count: number): string {
  return `${count} character${count === 1 ? '' : 's'}`;
}

/** `a, b or c`. */
export function anyOf(words: readonly (string | number)[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Control characters and line separators could break the line or steer a terminal; characters that nobody sees, such as
 * a space of no width that was pasted along, may be what is wrong.
 */
export function oneLine(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}
