import { randomBytes } from 'node:crypto';
import {
  type Clock,
  KubernetesError,
  type KubernetesObject,
  ObjectClient,
  type ResourceType,
  type Transport,
} from '../../kubernetes/index.ts';
import type { Log } from '../../proxy/telemetry/log.ts';

const EVENTS: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

/** What an API server takes as `note`. */
const MAX_NOTE_LENGTH = 1_000;
/** An object that changes for the better and the worse all the time gets this many at once, … */
const BURST = 10;
/** … and from then on one in so long. */
const REFILL_MS = 30_000;
const MAX_BUCKETS = 10_000;

export interface Happening {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface EventRecorderOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  readonly controller: string;
  /** This process. */
  readonly instance: string;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Writes Kubernetes Events: for people who read `kubectl describe`, so one that is lost is not written again. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #client: ObjectClient<KubernetesObject>;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#client = new ObjectClient(options.transport, EVENTS);
  }

  /** @param object what it happened to */
  async record(object: KubernetesObject, { type, reason, message }: Happening): Promise<void> {
    const { apiVersion, kind, metadata } = object;
    const { name, namespace = 'default', uid = '', resourceVersion = '' } = metadata;
    const { clock, log, controller, instance } = this.#options;
    if (!this.#take(uid)) return;
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${name.slice(0, 230)}.${randomBytes(8).toString('hex')}`, namespace },
      // Times of this API have microseconds.
      eventTime: new Date(clock.epochMs()).toISOString().replace('Z', '000Z'),
      reportingController: controller,
      reportingInstance: instance.slice(0, 128),
      action: 'Reconcile',
      reason,
      regarding: { apiVersion, kind, name, namespace, uid, resourceVersion },
      note: message.slice(0, MAX_NOTE_LENGTH).toWellFormed(),
      type,
    };
    try {
      await this.#client.create(event);
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      log.warn(error.message);
    }
  }

  #take(uid: string): boolean {
    const nowMs = this.#options.clock.now();
    const bucket = this.#buckets.get(uid) ?? { tokens: BURST, atMs: nowMs };
    this.#buckets.delete(uid);
    this.#buckets.set(uid, bucket);
    if (this.#buckets.size > MAX_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!);
    bucket.tokens = Math.min(BURST, bucket.tokens + (nowMs - bucket.atMs) / REFILL_MS);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
