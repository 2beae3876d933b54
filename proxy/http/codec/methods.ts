/**
 * Methods that are let through: those that Node's own parser knows, which are the IANA registry's that are in use and a
 * few of caches and UPnP. Any other gets 501, so that no backend sees a method line that another parser may read
 * differently (`PRI`, the HTTP/2 preface, for one).
 */
export const METHODS: readonly string[] = (
  'ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY ' +
  'OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK ' +
  'UNLOCK UNSUBSCRIBE'
).split(' ');

export const MAX_METHOD_BYTES = Math.max(...METHODS.map((method) => method.length));

// By length and first letter; the names in one slot are few.
const slots: (readonly { name: string; bytes: Uint8Array }[] | undefined)[] = [];
for (const name of METHODS) {
  const at = (name.length << 5) | (name.charCodeAt(0) & 31);
  slots[at] = [...(slots[at] ?? []), { name, bytes: Buffer.from(name, 'latin1') }];
}

/** The method in `buffer[start, end)` as a shared string; empty when it is not in the list. Case counts. */
export function methodName(buffer: Uint8Array, start: number, end: number): string {
  const candidates = slots[((end - start) << 5) | (buffer[start]! & 31)];
  if (candidates === undefined) return '';
  for (let c = 0; c < candidates.length; c++) {
    const { name, bytes } = candidates[c]!;
    let i = 0;
    while (i < bytes.length && buffer[start + i] === bytes[i]) i++;
    if (i === bytes.length) return name;
  }
  return '';
}
