import { ANY_HOST, covers, parentOf } from './hostnames.ts';
import type { UsableListener } from './listeners.ts';

/** Which listeners of a gateway can have requests for the host of an Ingress. */
export class IngressListenerIndex {
  readonly #own: readonly UsableListener[];
  /** Those that certificates of Ingresses make, by their one host name, and by what follows its first label. */
  readonly #byHostname = new Map<string, UsableListener>();
  readonly #byParent = new Map<string, UsableListener[]>();

  constructor(listeners: readonly UsableListener[], fromIngresses: readonly UsableListener[]) {
    this.#own = listeners;
    for (const listener of fromIngresses) {
      const [hostname = ANY_HOST] = listener.hostnames;
      this.#byHostname.set(hostname, listener);
      const parent = parentOf(hostname);
      const siblings = this.#byParent.get(parent);
      if (siblings === undefined) this.#byParent.set(parent, [listener]);
      else siblings.push(listener);
    }
  }

  find(hostname: string): UsableListener[] {
    const taken = this.#byHostname.get(hostname)?.listener.port;
    const own = this.#own.filter(({ listener, hostnames }) =>
      (hostnames.length === 0 ? [ANY_HOST] : hostnames).some(
        // Of a listener for more hosts the one that an Ingress makes has taken this one.
        (name) => covers(hostname, name) || (covers(name, hostname) && listener.port !== taken),
      ),
    );
    return [...own, ...this.#fromIngresses(hostname)];
  }

  /** Of two that overlap one has the wildcard above the other's host, or any host. */
  #fromIngresses(hostname: string): UsableListener[] {
    if (hostname === ANY_HOST) return [...this.#byHostname.values()];
    const parent = parentOf(hostname);
    const wildcard = `?${parent}`;
    const hostnames = [hostname, wildcard, ANY_HOST];
    const below = hostname === wildcard ? (this.#byParent.get(parent) ?? []) : [];
    return [...new Set([...hostnames.flatMap((name) => this.#byHostname.get(name) ?? []), ...below])];
  }
}
