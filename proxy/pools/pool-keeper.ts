import type { Pool, Target } from '../config/snapshot.ts';
import { formatAddress } from './address.ts';
import { maxEjected } from './ejections.ts';
import type { Outcome } from './endpoint.ts';
import { EndpointKeeper } from './endpoint-keeper.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { EndpointState, Members, States } from './messages.ts';
import { type AddressSource, fixedSource, NameSource } from './sources.ts';
import type { PoolStatus, PoolSummary } from './status.ts';

/** One pool in the main thread: its targets' addresses, and what is known of each. */
export class PoolKeeper {
  #pool: Pool;
  readonly #context: KeeperContext;
  #published = false;
  #publishedProblem: string | null = null;
  /** By target, without the weight. */
  #sources = new Map<string, AddressSource>();
  #endpoints = new Map<string, EndpointKeeper>();
  #overflow = false;
  #stopped = false;
  /** Called once every target has had an answer, good or bad. */
  #whenSettled: (() => void)[] = [];
  /** While targets of a new configuration have no answer, the endpoints of the old one stay in use. */
  #settling = true;
  #cancelSettling: (() => void) | null = null;

  constructor(pool: Pool, context: KeeperContext) {
    this.#pool = pool;
    this.#context = context;
  }

  get pool(): Pool {
    return this.#pool;
  }

  /** Takes the pool's settings, the first time too. */
  configure(pool: Pool): void {
    const before = this.#pool;
    const old = this.#sources;
    this.#pool = pool;
    this.#sources = new Map();
    for (const target of pool.targets) {
      const key = targetName(target);
      if (this.#sources.has(key)) continue;
      const kept = isFollowedAlike(target, pool, before) ? old.get(key) : undefined;
      if (kept !== undefined) old.delete(key);
      this.#sources.set(key, kept ?? this.#startSource(target));
    }
    for (const source of old.values()) source.stop();
    for (const endpoint of this.#endpoints.values()) endpoint.configure(pool);
    this.#beginSettling();
  }

  /** Resolves once every target has had an answer, or had time enough for one. */
  settled(): Promise<void> {
    if (!this.#settling) return Promise.resolve();
    return new Promise((resolve) => this.#whenSettled.push(resolve));
  }

  members(drained: readonly string[] = []): Members {
    const endpoints = [...this.#endpoints.values()].map((endpoint) => endpoint.record());
    return { pool: this.#pool.id, endpoints, drained, problem: this.#problem() };
  }

  /** The endpoint reached the number of failures in a row. */
  failing(id: string, last: Outcome): void {
    const endpoint = this.#endpoints.get(id);
    const { ejection } = this.#pool;
    if (endpoint === undefined || ejection === null || endpoint.ejected) return;
    let ejected = 0;
    for (const other of this.#endpoints.values()) if (other.ejected) ejected++;
    if (ejected >= maxEjected(this.#endpoints.size, ejection.maxEjectedPercent)) return;
    // Some requests that succeed are better than none that is tried.
    if (endpoint.state === 'healthy' && this.count('healthy') === 1) return;
    endpoint.eject(ejection, last);
  }

  status(): PoolStatus {
    const { id, protocol, loadBalancing } = this.#pool;
    const endpoints = [...this.#endpoints.values()].map((endpoint) => endpoint.status());
    const targets = this.#pool.targets.map((target) => {
      const source = this.#sources.get(targetName(target));
      return {
        target: targetName(target),
        weight: target.weight,
        addresses: source?.state.addresses.length ?? 0,
        problem: source?.state.problem ?? null,
      };
    });
    return {
      id,
      protocol,
      policy: loadBalancing.policy,
      total: endpoints.length,
      healthy: endpoints.filter(({ state }) => state === 'healthy').length,
      targets,
      endpoints,
    };
  }

  summary(): PoolSummary {
    const problem = this.#problem();
    return { id: this.#pool.id, healthy: this.count('healthy'), total: this.#endpoints.size, problem };
  }

  /** How many endpoints are in a state. */
  count(state: EndpointState): number {
    let count = 0;
    for (const endpoint of this.#endpoints.values()) if (endpoint.state === state) count++;
    return count;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelSettling?.();
    for (const source of this.#sources.values()) source.stop();
    for (const endpoint of this.#endpoints.values()) endpoint.stop();
    this.#finishSettling();
  }

  #startSource(target: Target): AddressSource {
    const { resolver, clock, random, services, resolutions, log } = this.#context;
    const changed = () => this.#sourceChanged();
    switch (target.kind) {
      case 'ip':
        return fixedSource(target);
      case 'service':
        return services(target, changed);
      case 'fqdn':
        return new NameSource(target, this.#pool.dns, {
          resolver,
          clock,
          random,
          changed,
          resolved: (success) => resolutions.labels(this.#pool.id, success ? 'success' : 'failure').add(),
          failed: (problem) =>
            log.warn(
              { pool: this.#pool.id, target: targetName(target), problem },
              'target cannot be resolved',
            ),
        });
    }
  }

  #beginSettling(): void {
    this.#settling = true;
    this.#cancelSettling?.();
    const { clock, settleTimeoutMs } = this.#context;
    this.#cancelSettling = clock.after(settleTimeoutMs, () => {
      this.#settling = false;
      this.#sourceChanged();
    });
    this.#sourceChanged();
  }

  #sourceChanged(): void {
    if (this.#stopped) return;
    if (this.#settling) {
      for (const source of this.#sources.values()) if (!source.state.settled) return;
    }
    this.#rebuild();
    this.#finishSettling();
  }

  #finishSettling(): void {
    this.#settling = false;
    this.#cancelSettling?.();
    this.#cancelSettling = null;
    const waiting = this.#whenSettled;
    this.#whenSettled = [];
    for (const resolve of waiting) resolve();
  }

  /** Brings the endpoints in line with the addresses. */
  #rebuild(): void {
    const pool = this.#pool;
    const kept = new Map<string, EndpointKeeper>();
    let changed = !this.#published;
    this.#overflow = false;
    for (const target of pool.targets) {
      const key = targetName(target);
      const source = this.#sources.get(key)!;
      const { addresses } = source.state;
      for (const { address, port } of addresses) {
        const id = formatAddress(address, port);
        // Two targets with the same address are one endpoint; the first target names it.
        if (kept.has(id)) continue;
        const place = {
          id,
          target: key,
          hostname: hostnameOf(target) ?? address,
          address,
          port,
          weight: target.weight / addresses.length,
        };
        const endpoint = this.#endpoints.get(id);
        if (endpoint !== undefined) {
          if (endpoint.place(place)) changed = true;
          endpoint.setResting(false);
          kept.set(id, endpoint);
          continue;
        }
        const row = this.#context.rows.take();
        if (row === null) {
          this.#overflow = true;
          continue;
        }
        kept.set(id, new EndpointKeeper(pool, place, row, this.#context));
        changed = true;
      }
    }
    this.#keepResting(kept);
    const drained: string[] = [];
    for (const [id, endpoint] of this.#endpoints) {
      if (kept.has(id)) continue;
      changed = true;
      endpoint.stop();
      this.#context.rows.free(endpoint.row);
      const source = this.#sources.get(endpoint.target);
      if (source === undefined || source.drainsLeft) drained.push(id);
    }
    this.#endpoints = kept;
    if (!changed && this.#problem() === this.#publishedProblem) return;
    const members = this.members(drained);
    this.#published = true;
    this.#publishedProblem = members.problem;
    this.#context.publishMembers(members);
  }

  /** An endpoint that rests stays. One that was never in use begins when it is ready. */
  #keepResting(kept: Map<string, EndpointKeeper>): void {
    for (const source of this.#sources.values()) {
      for (const { address, port } of source.state.resting ?? []) {
        const id = formatAddress(address, port);
        const endpoint = this.#endpoints.get(id);
        if (endpoint === undefined || kept.has(id)) continue;
        endpoint.setResting(true);
        kept.set(id, endpoint);
      }
    }
  }

  /** Why the pool has less than it should; the first reason is enough to begin with. */
  #problem(): string | null {
    for (const source of this.#sources.values()) {
      if (source.state.problem !== null) return source.state.problem;
    }
    if (this.#overflow) return 'there are more endpoints than one gateway can have';
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.state !== 'healthy' && endpoint.lastFailure !== null) return endpoint.lastFailure;
    }
    return null;
  }

  /** Endpoints whose state workers have not been told yet; `null` when there are none. */
  takeStates(): States | null {
    const changes: { id: string; state: EndpointState }[] = [];
    for (const endpoint of this.#endpoints.values()) {
      if (!endpoint.takeChanged()) continue;
      changes.push({ id: endpoint.id, state: endpoint.state });
    }
    if (changes.length === 0) return null;
    return { pool: this.#pool.id, changes, problem: this.#problem() };
  }
}

/** Whether a target that both have is to be looked up in the same way. */
function isFollowedAlike(target: Target, pool: Pool, before: Pool): boolean {
  switch (target.kind) {
    case 'ip':
      return true;
    case 'fqdn':
      return JSON.stringify(pool.dns) === JSON.stringify(before.dns);
    case 'service':
      return before.targets.some(
        (other) =>
          other.kind === 'service' &&
          other.portName === target.portName &&
          targetName(other) === targetName(target),
      );
  }
}

/** Under which name its endpoints are spoken to; a Service's is the one that it has in every cluster. */
function hostnameOf(target: Target): string | null {
  switch (target.kind) {
    case 'fqdn':
      return target.name;
    case 'ip':
      return null;
    case 'service':
      return `${target.name}.${target.namespace}.svc`;
  }
}

/** Names a target for people, and is its identity over reloads. */
function targetName(target: Target): string {
  switch (target.kind) {
    case 'fqdn':
      return `${target.name}:${target.port}`;
    case 'ip':
      return formatAddress(target.address, target.port);
    case 'service':
      return `${target.namespace}/${target.name}:${target.port}`;
  }
}
