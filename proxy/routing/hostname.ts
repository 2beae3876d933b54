/**
 * Hostnames of listeners and routes as the Gateway API matches them: an exact name, then the wildcard with the
 * longest suffix, then any. A wildcard stands for one or more whole labels: `*.example.com` matches
 * `a.example.com` and `a.b.example.com`, not `example.com`. That of an Ingress stands for exactly one, is written
 * `?.example.com`, and comes before the other of the same suffix.
 */

/** Lower case, without port, trailing dot or the brackets of an IPv6 address; the same string when it is so already. */
export function normaliseHost(host: string): string {
  let end = host.length;
  let start = 0;
  if (host.charCodeAt(0) === 0x5b) {
    const bracket = host.indexOf(']');
    if (bracket !== -1) {
      start = 1;
      end = bracket;
    }
  } else {
    const colon = host.indexOf(':');
    // Two colons: an IPv6 address without brackets, which has no port.
    if (colon !== -1 && colon === host.lastIndexOf(':')) end = colon;
    if (end > 1 && host.charCodeAt(end - 1) === 0x2e) end--;
  }
  const bare = start === 0 && end === host.length ? host : host.slice(start, end);
  for (let i = 0; i < bare.length; i++) {
    const code = bare.charCodeAt(i);
    if (code >= 0x41 && code <= 0x5a) return bare.toLowerCase();
  }
  return bare;
}

/** Values by hostname. Looking one up costs one map access, and a few more per label where there are wildcards. */
export class HostnameIndex<T> {
  readonly #exact = new Map<string, T>();
  /** By suffix with its leading dot, as the next. */
  readonly #oneLabel = new Map<string, T>();
  readonly #wildcard = new Map<string, T>();
  #any: T | null = null;

  /** The first value of a hostname stays. @param hostname exact, `?.suffix`, `*.suffix`, or `*` or empty for any */
  add(hostname: string, value: T): void {
    if (hostname === '*' || hostname === '') this.#any ??= value;
    else if (hostname.startsWith('?.')) addFirst(this.#oneLabel, hostname.slice(1), value);
    else if (hostname.startsWith('*.')) addFirst(this.#wildcard, hostname.slice(1), value);
    else addFirst(this.#exact, hostname, value);
  }

  /** The value of the most specific hostname that covers the host. @param host normalised */
  find(host: string): T | null {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact;
    const ofOneLabel = this.#findOneLabel(host);
    if (ofOneLabel !== undefined) return ofOneLabel;
    if (this.#wildcard.size > 0) {
      // From the second character on: a wildcard stands for at least one character of a label.
      for (let dot = host.indexOf('.', 1); dot !== -1; dot = host.indexOf('.', dot + 1)) {
        const value = this.#wildcard.get(host.slice(dot));
        if (value !== undefined) return value;
      }
    }
    return this.#any;
  }

  /** All values whose hostname covers the host, most specific first. @param host normalised */
  findAll(host: string): T[] {
    const found: T[] = [];
    const exact = this.#exact.get(host);
    if (exact !== undefined) found.push(exact);
    const ofOneLabel = this.#findOneLabel(host);
    if (ofOneLabel !== undefined) found.push(ofOneLabel);
    if (this.#wildcard.size > 0) {
      for (let dot = host.indexOf('.', 1); dot !== -1; dot = host.indexOf('.', dot + 1)) {
        const value = this.#wildcard.get(host.slice(dot));
        if (value !== undefined) found.push(value);
      }
    }
    if (this.#any !== null) found.push(this.#any);
    return found;
  }

  #findOneLabel(host: string): T | undefined {
    if (this.#oneLabel.size === 0) return undefined;
    const dot = host.indexOf('.');
    return dot > 0 ? this.#oneLabel.get(host.slice(dot)) : undefined;
  }
}

function addFirst<T>(map: Map<string, T>, key: string, value: T): void {
  if (!map.has(key)) map.set(key, value);
}
