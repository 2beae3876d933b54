/** What a schema asks for, in words. */
import { anyOf } from './diagnostics.ts';
import type { Schema } from './schemas.ts';

/** Such as `an integer between 1 and 65535`; fits after "expected". */
export function describeSchema(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string']) return sentenceOfType(schema) ?? 'an integer or a string';
  if (schema.enum) {
    const values = schema.enum.map(quoteIfNeeded);
    return values.length < 3 ? anyOf(values) : `one of ${anyOf(values)}`;
  }
  switch (schema.type) {
    case 'integer':
    case 'number':
      return describeNumber(schema);
    case 'string':
      return sentenceOfType(schema) ?? 'a string';
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list${range(schema.minItems, schema.maxItems, 'entries')}`;
    default:
      return schema.properties ? describeObject(schema) : 'an object';
  }
}

function describeNumber({ type, minimum, maximum }: Schema): string {
  const noun = type === 'integer' ? 'an integer' : 'a number';
  if (minimum !== undefined && maximum !== undefined) return `${noun} between ${minimum} and ${maximum}`;
  return minimum === undefined ? noun : `${noun} from ${minimum}`;
}

function describeObject({ properties = {} }: Schema): string {
  const names = Object.keys(properties);
  const shown = names.length > 6 ? [...names.slice(0, 6), '…'] : names;
  return `an object with the fields ${shown.join(', ')}`;
}

/** ` of 1 to 64 entries`, or nothing without bounds. */
export function range(minimum: number | undefined, maximum: number | undefined, noun: string): string {
  if (maximum === undefined) return minimum === undefined ? '' : ` of at least ${minimum} ${noun}`;
  return minimum === undefined ? ` of up to ${maximum} ${noun}` : ` of ${minimum} to ${maximum} ${noun}`;
}

/**
 * The descriptions of texts end in a sentence that says what form they have ("A DNS label … of 1 to 63
 * characters."), apart from the default. That sentence serves here, since a pattern would tell people little.
 */
function sentenceOfType(schema: Schema): string | undefined {
  const description = schema.description?.replace(/ Default: .+\.$/s, '') ?? '';
  const start = Math.max(description.lastIndexOf('. A ') + 2, description.lastIndexOf('. An ') + 2);
  const sentence = description.slice(start === 1 ? 0 : start);
  if (!/^An? .+\.$/s.test(sentence)) return undefined;
  return sentence[0]!.toLowerCase() + sentence.slice(1, -1);
}

/** A text such as 1.2 must be quoted in YAML, so it is here. */
function quoteIfNeeded(value: string | number): string {
  return typeof value === 'string' && !Number.isNaN(Number(value)) ? `"${value}"` : `${value}`;
}
