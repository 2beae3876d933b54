/**
 * Splits a certificate's `subjectaltname` as Node prints it: `DNS:a.example, URI:"with, comma"`. A name that could be
 * taken for several is in quotes, as JSON: whoever splits at commas alone can be shown names that are not there.
 */
export function alternativeNames(text: string | undefined): { type: string; value: string }[] {
  const names: { type: string; value: string }[] = [];
  let rest = text ?? '';
  while (rest !== '') {
    const end = endOfName(rest);
    const name = rest.slice(0, end);
    const colon = name.indexOf(':');
    const value = name.slice(colon + 1);
    names.push({
      type: name.slice(0, Math.max(colon, 0)),
      value: value.startsWith('"') ? unquote(value) : value,
    });
    rest = rest.slice(end + ', '.length);
  }
  return names;
}

/** Where the next comma outside of quotes is. */
function endOfName(text: string): number {
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (letter === '\\' && quoted) i++;
    else if (letter === '"') quoted = !quoted;
    else if (letter === ',' && !quoted) return i;
  }
  return text.length;
}

function unquote(value: string): string {
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}
