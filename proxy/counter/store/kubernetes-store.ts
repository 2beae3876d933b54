import type { Clock } from '../../../kubernetes/clock.ts';
import { LEASES, type Lease } from '../../../kubernetes/lease.ts';
import { ObjectClient } from '../../../kubernetes/object-client.ts';
import type { KubernetesObject, OwnerReference, ResourceType } from '../../../kubernetes/objects.ts';
import { Reflector } from '../../../kubernetes/reflector.ts';
import type { Transport } from '../../../kubernetes/transport.ts';
import type { Log } from '../../telemetry/log.ts';
import {
  type Incarnation,
  type LeaseName,
  type LeaseRecord,
  memberLease,
  memberOf,
} from '../protocol/lease.ts';
import type { Settings } from '../protocol/settings.ts';
import type { LeaseCall } from '../protocol/turn.ts';
import { CallBudget } from './call-budget.ts';
import { LeaseCalls, type WritingCall } from './lease-calls.ts';
import {
  COUNTER_ANNOTATION,
  type Decoded,
  decodeLease,
  encodeLease,
  keptMetadata,
  leaseNameOf,
  objectNameOf,
  type Traces,
} from './lease-object.ts';
import type { LeaseSession, LeaseStore, LeaseWatcher, MemberPlace } from './lease-store.ts';
import { Obituaries } from './obituaries.ts';
import { Strangers } from './strangers.ts';

export interface KubernetesStoreOptions {
  readonly transport: Transport;
  readonly namespace: string;
  /** Names of the Leases begin with it: the gateway's own name for its objects. */
  readonly prefix: string;
  /** On all Leases of the gateway's counter, and on no other Lease. */
  readonly labels: Readonly<Record<string, string>>;
  /** With whom the Leases go. */
  readonly owner?: OwnerReference;
  readonly pod: Traces['pod'];
  readonly settings: Settings;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

const PODS: ResourceType = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };

/** Calls of one process; a start needs a few for each shard. */
const CALLS_PER_SECOND = 20;
const CALLS_AT_ONCE = 50;

interface Known {
  readonly record: LeaseRecord;
  readonly traces: Traces | null;
  readonly object: Lease;
}

interface Subscription {
  readonly watcher: LeaseWatcher;
  isListed: boolean;
}

/**
 * Leases at the API server. Every write is a compare-and-swap by uid and resourceVersion; what others write comes by
 * a watch. How many calls there are depends on shards and members, and never on connections.
 */
export class KubernetesStore implements LeaseStore {
  readonly #options: KubernetesStoreOptions;
  readonly #reflector: Reflector<Lease>;
  readonly #calls: LeaseCalls;
  readonly #obituaries: Obituaries;
  readonly #strangers: Strangers;
  readonly #subscriptions = new Set<Subscription>();
  /** As the watch shows them. */
  readonly #known = new Map<LeaseName, Known>();
  /** Of members, for as long as anybody may look for them. */
  readonly #traces = new Map<Incarnation, Traces>();
  readonly #dead = new Set<Incarnation>();
  /** This process's. */
  readonly #own = new Set<Incarnation>();
  readonly #problems = new Map<string, string>();
  readonly #closed = Promise.withResolvers<void>();
  #isSynced = false;
  #isClosed = false;

  constructor(options: KubernetesStoreOptions) {
    const { transport, namespace, prefix, clock, random, settings } = options;
    const { callTimeoutMs } = settings;
    this.#options = options;
    const budget = new CallBudget(clock, CALLS_PER_SECOND, CALLS_AT_ONCE + 2 * settings.shards);
    this.#calls = new LeaseCalls({
      transport,
      clock,
      budget,
      callTimeoutMs,
      nameOf: (name) => ({ namespace, name: objectNameOf(prefix, name) }),
      objectOf: (call) => this.#objectOf(call),
      recordOf: (name, object) => {
        const decoded = this.#decode(name, object);
        return decoded.kind === 'lease' ? decoded.record : null;
      },
      onProblem: (problem) => this.#say('calls', problem),
    });
    this.#strangers = new Strangers((object) => void this.#calls.discard(object));
    const pods = new ObjectClient<KubernetesObject>(transport, PODS);
    this.#obituaries = new Obituaries({
      clock,
      random,
      settings,
      budget,
      isGone: async ({ name, uid }) => {
        const pod = await pods.get({ namespace, name }, callTimeoutMs);
        return pod === null || pod.metadata.uid !== uid;
      },
      onGone: (incarnation) => this.#onDied(incarnation),
      onProblem: (problem) => this.#say('pods', problem),
    });
    this.#reflector = this.#follow();
  }

  /** The last of the lives in this Pod: a container is started only when the one before has ended. */
  async predecessor(): Promise<Incarnation> {
    await Promise.race([this.#reflector.synced, this.#closed.promise]);
    const earlier = [...this.#known.values()].filter(({ record, traces }) => {
      const isHere = traces?.pod.uid === this.#options.pod.uid;
      return isHere && memberOf(record.name) !== null && record.phase === 'held';
    });
    const replaced = new Set(earlier.map(({ record }) => record.replaces));
    for (const { record } of earlier) this.#onDied(memberOf(record.name)!);
    const last = earlier.find(({ record }) => !replaced.has(memberOf(record.name)!));
    return last === undefined ? '' : memberOf(last.record.name)!;
  }

  open(self: MemberPlace, watcher: LeaseWatcher): LeaseSession {
    const { incarnation, address } = self;
    const subscription: Subscription = { watcher, isListed: false };
    this.#subscriptions.add(subscription);
    this.#own.add(incarnation);
    this.#traces.set(incarnation, { address, pod: this.#options.pod });
    if (this.#isSynced) queueMicrotask(() => this.#show(subscription));
    return {
      call: (call, answer) => {
        if (this.#isUnwelcome(call, incarnation)) {
          const { clock, settings } = this.#options;
          clock.after(settings.retryMs, () => {
            if (this.#subscriptions.has(subscription)) answer({ outcome: 'unknown' });
          });
          return;
        }
        this.#calls.call(call, (result) => {
          if (this.#subscriptions.has(subscription)) answer(result);
        });
      },
      close: () => {
        this.#subscriptions.delete(subscription);
        this.#own.delete(incarnation);
      },
    };
  }

  addressOf(incarnation: Incarnation): string | undefined {
    return this.#traces.get(incarnation)?.address;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closed.resolve();
    this.#subscriptions.clear();
    this.#obituaries.stop();
    this.#calls.stop();
    await this.#reflector.stop();
  }

  #follow(): Reflector<Lease> {
    const { transport, namespace, labels, clock, random, log } = this.#options;
    const reflector = new Reflector<Lease>({
      type: LEASES,
      namespace,
      labelSelector: Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(','),
      transport,
      clock,
      random,
      log,
      onChange: (key) => this.#onChange(key),
    });
    reflector.start();
    void reflector.synced.then(() => {
      this.#isSynced = true;
      for (const subscription of this.#subscriptions) this.#show(subscription);
    });
    return reflector;
  }

  #show(subscription: Subscription): void {
    if (!this.#subscriptions.has(subscription) || subscription.isListed) return;
    subscription.isListed = true;
    const { watcher } = subscription;
    for (const { record } of this.#known.values()) watcher.seen(record);
    watcher.listed();
    for (const incarnation of this.#dead) watcher.died(incarnation);
  }

  /** To those who have been shown what there was before. */
  #tell(event: (watcher: LeaseWatcher) => void): void {
    for (const { watcher, isListed } of [...this.#subscriptions]) if (isListed) event(watcher);
  }

  #onChange(key: string): void {
    const name = leaseNameOf(this.#options.prefix, key.slice(key.indexOf('/') + 1));
    if (name === null || this.#isClosed) return;
    const object = this.#reflector.store.get(key);
    if (object === undefined) this.#onGone(name);
    else this.#onSeen(name, object);
    this.#forgetOld();
  }

  #onGone(name: LeaseName): void {
    this.#known.delete(name);
    this.#problems.delete(name);
    this.#strangers.forget(name);
    const member = memberOf(name);
    if (member !== null) this.#obituaries.lost(member);
    this.#tell((watcher) => watcher.gone(name));
  }

  #onSeen(name: LeaseName, object: Lease): void {
    const decoded = this.#decode(name, object);
    switch (decoded.kind) {
      case 'lease': {
        const { record, traces } = decoded;
        this.#known.set(name, { record, traces, object });
        this.#strangers.forget(name);
        this.#listenTo(name, record.phase === 'released', traces);
        this.#tell((watcher) => watcher.seen(record));
        return;
      }
      case 'garbled':
        // It is in the way of one that says something: with it gone, the protocol puts things right.
        void this.#calls.discard(object);
        return;
      case 'foreign':
        this.#listenTo(name, decoded.phase === 'released', decoded.traces);
        this.#strangers.see(name, object, decoded);
        return;
      case 'newer':
        this.#strangers.see(name, object, decoded);
    }
  }

  #listenTo(name: LeaseName, hasLeft: boolean, traces: Traces | null): void {
    const member = memberOf(name);
    if (member === null || this.#own.has(member)) return;
    if (hasLeft) this.#obituaries.forget(member);
    else this.#obituaries.heard(member, traces?.pod ?? null);
  }

  #onDied(incarnation: Incarnation): void {
    if (this.#own.has(incarnation) || this.#dead.has(incarnation)) return;
    this.#dead.add(incarnation);
    this.#strangers.died(incarnation);
    this.#tell((watcher) => watcher.died(incarnation));
  }

  /** Reads a Lease, and takes note of where its member is. */
  #decode(name: LeaseName, object: Lease): Decoded {
    const decoded = decodeLease(name, object, this.#options.settings);
    if (decoded.kind !== 'lease') {
      this.#say(name, `Lease ${object.metadata.name}: ${decoded.problem}`);
      return decoded;
    }
    this.#say(name, null);
    const member = memberOf(name);
    if (member !== null && decoded.traces !== null && !this.#own.has(member))
      this.#traces.set(member, decoded.traces);
    return decoded;
  }

  /** Who counts by other settings than those who are there does not join. */
  #isUnwelcome(call: LeaseCall, self: Incarnation): boolean {
    if (call.kind !== 'create' || call.name !== memberLease(self) || !this.#strangers.areThere) return false;
    this.#say('joining', 'there are members with other settings; this one waits until they are gone');
    return true;
  }

  #objectOf(call: WritingCall): Lease {
    const { namespace, prefix, settings, clock, labels, owner } = this.#options;
    const { name, draft } = call;
    const expected = call.kind === 'update' ? call.expected : null;
    const known = this.#known.get(name)?.object;
    const before = known !== undefined && known.metadata.uid === expected?.uid ? known : null;
    const traces = this.#traces.get(memberOf(name) ?? '') ?? null;
    const { annotation, spec } = encodeLease(draft, traces, settings, before, clock.epochMs());
    const kept = before === null ? {} : keptMetadata(before.metadata);
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...(owner !== undefined && { ownerReferences: [owner] }),
        ...kept,
        namespace,
        name: objectNameOf(prefix, name),
        ...(expected !== null && { uid: expected.uid, resourceVersion: expected.resourceVersion }),
        labels: { ...kept.labels, ...labels },
        annotations: { ...kept.annotations, [COUNTER_ANNOTATION]: annotation },
      },
      spec,
    };
  }

  #forgetOld(): void {
    for (const incarnation of this.#traces.keys()) {
      if (this.#own.has(incarnation) || this.#known.has(memberLease(incarnation))) continue;
      if (this.#obituaries.watches(incarnation)) continue;
      this.#traces.delete(incarnation);
      this.#dead.delete(incarnation);
    }
  }

  /** Once for each thing that goes wrong, until it is well again (`null`). */
  #say(what: string, problem: string | null): void {
    if (problem === null) {
      this.#problems.delete(what);
      return;
    }
    if (this.#problems.get(what) === problem) return;
    this.#problems.set(what, problem);
    this.#options.log.warn(`counter: ${problem}`);
  }
}
