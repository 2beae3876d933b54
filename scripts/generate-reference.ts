/**
 * Generates the reference of our resources from the CRDs:
 * `node scripts/generate-reference.ts [--check]` writes `docs/reference/*.md`.
 */
import { join } from 'node:path';
import { type Crd, kebab, readCrds, root, type Schema, writeOrCheck } from './crds.ts';

const notice = '<!-- Generated from crds/ by scripts/generate-reference.ts. Do not edit. -->';

const files = new Map<string, string>();
const crds = readCrds();
for (const crd of crds) files.set(join(root, 'docs/reference', `${kebab(crd.kind)}.md`), pageOf(crd));
files.set(join(root, 'docs/reference/README.md'), indexOf(crds));
writeOrCheck(files, 'node scripts/generate-reference.ts');

function indexOf(all: Crd[]): string {
  const rows = all.map(({ kind, shortNames, schema }) => [
    `[${kind}](${kebab(kind)}.md)`,
    shortNames.map((name) => `\`${name}\``).join(', '),
    plain(schema.description ?? ''),
  ]);
  return page([
    notice,
    '# Reference',
    'The resources of the API group `sluice.dev`, version `v1alpha1`. All are namespaced.',
    table(['Kind', 'Short name', 'What it is'], rows),
  ]);
}

function pageOf(crd: Crd): string {
  const { kind, group, version, schema, shortNames } = crd;
  const sections: string[] = [];
  for (const name of ['spec', 'status']) sectionsOf(name, schema.properties![name]!, sections);
  return page([
    notice,
    `# ${kind}`,
    plain(schema.description ?? ''),
    `\`apiVersion: ${group}/${version}\` · \`kind: ${kind}\` · namespaced · short name ${shortNames.map((name) => `\`${name}\``).join(', ')}`,
    ...rulesOf(schema),
    ...sections,
  ]);
}

/** One section for the object and one for each object within it, depth first. */
function sectionsOf(path: string, schema: Schema, sections: string[]): void {
  const { properties = {}, required = [] } = schema;
  const rows = Object.entries(properties).map(([name, property]) => {
    const { text, fallback } = describe(property);
    const mark = required.includes(name) ? ' **(required)**' : '';
    const target = objectWithin(property);
    const shown = target ? `[\`${name}\`](#${anchor(`${path}.${name}${target.suffix}`)})` : `\`${name}\``;
    return [`${shown}${mark}`, typeOf(property), fallback ? `\`${fallback}\`` : '', plain(text)];
  });
  sections.push(`## \`${path}\``, plain(schema.description ?? ''));
  sections.push(table(['Field', 'Type', 'Default', 'Description'], rows), ...rulesOf(schema));
  for (const [name, property] of Object.entries(properties)) {
    const target = objectWithin(property);
    if (target) sectionsOf(`${path}.${name}${target.suffix}`, target.schema, sections);
  }
}

/** The rules of an object, and of those fields in it that get no section of their own. */
function rulesOf(schema: Schema): string[] {
  const lines = messagesOf(schema);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const { items } = property;
    if (!property.properties) lines.push(...messagesOf(property).map((message) => `\`${name}\`: ${message}`));
    if (items && !items.properties)
      lines.push(...messagesOf(items).map((message) => `\`${name}[]\`: ${message}`));
  }
  return lines.length > 0 ? [`Rules:\n\n${lines.map((line) => `- ${line}`).join('\n')}`] : [];
}

function messagesOf(schema: Schema): string[] {
  return (schema['x-kubernetes-validations'] ?? []).map(({ message }) => plain(message));
}

/** The object, or the object in the list, that gets a section of its own. */
function objectWithin(schema: Schema): { schema: Schema; suffix: string } | undefined {
  if (schema.properties) return { schema, suffix: '' };
  if (schema.items?.properties) return { schema: schema.items, suffix: '[]' };
  return undefined;
}

function typeOf(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string']) return 'integer or string';
  if (schema.items) return `list of ${plural(typeOf(schema.items))}`;
  if (schema.additionalProperties) return `map of ${plural(typeOf(schema.additionalProperties))}`;
  if (schema.enum && schema.type === 'string') return 'enum';
  return schema.type ?? 'any';
}

function plural(type: string): string {
  return type === 'integer or string' ? 'integers or strings' : `${type}s`;
}

/** The description of a field without its default, and the default. */
function describe({ description = '', items }: Schema): { text: string; fallback: string | undefined } {
  const match = / Default: (.+)\.$/s.exec(description);
  const own = match ? description.slice(0, match.index) : description;
  const text = items && !items.properties ? `${own} Each: ${items.description ?? ''}` : own;
  return { text, fallback: match?.[1] };
}

/** The anchor that GitHub makes of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

function table(head: string[], rows: string[][]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** Text in which Markdown finds nothing to format. */
function plain(text: string): string {
  return text.replace(/[|<*_]/g, '\\$&');
}

function page(blocks: string[]): string {
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}
