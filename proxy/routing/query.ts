/**
 * The first value of a query parameter, percent-decoded, `+` as a space; `undefined` when there is none.
 * Names are compared as decoded. A parameter without `=` has the empty value.
 * @param query without `?`
 */
export function queryParameter(query: string, name: string): string | undefined {
  let start = 0;
  while (start < query.length) {
    let end = query.indexOf('&', start);
    if (end === -1) end = query.length;
    let equals = query.indexOf('=', start);
    if (equals === -1 || equals > end) equals = end;
    if (decode(query, start, equals) === name && end > start) {
      return equals === end ? '' : decode(query, equals + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

function decode(text: string, start: number, end: number): string {
  const raw = text.slice(start, end);
  if (!raw.includes('%') && !raw.includes('+')) return raw;
  const spaced = raw.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Not valid UTF-8 once decoded: compared as it was sent.
    return spaced;
  }
}
