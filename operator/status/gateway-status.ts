import type { Snapshot } from '../../proxy/config/snapshot.ts';
import type { EdgeGateway } from '../resources/index.ts';
import {
  type Condition,
  type GatewayStatus,
  holds,
  holdsNot,
  type ListenerStatus,
  observedAt,
  unknown,
} from './conditions.ts';
import { joined } from './messages.ts';
import type { ObservedGateway } from './observed.ts';
import { Problems } from './problems.ts';
import { listenerProgrammed, podsServing, programmed } from './programmed.ts';
import { indexIn, referencesOfGateway, referencesOfListener } from './references.ts';
import type { Subject } from './subject.ts';

const MAX_ADDRESSES = 16;

export interface GatewayInput {
  readonly subject: Subject<EdgeGateway>;
  /** `null` for a gateway that is left out. */
  readonly snapshot: Snapshot | null;
  /** The number of routes of each listener that is served, by name. */
  readonly attachedRoutes: ReadonlyMap<string, number>;
  readonly observed: ObservedGateway;
}

export function gatewayStatus(input: GatewayInput): GatewayStatus {
  const { subject, snapshot, observed } = input;
  const { generation, body, own, all, object, namespace } = subject;
  // What is wrong with a version that does not hold belongs to none of the listeners that do.
  const ofListeners = subject.isKept || body === null ? [] : body.spec.listeners.map((_, index) => index);
  const isOfListener = (field: string): boolean => ofListeners.includes(listenerIndex(field) ?? -1);
  const problems = new Problems(
    object,
    own.filter(({ field }) => !isOfListener(field)),
    body === null ? [] : referencesOfGateway(body.spec, namespace),
    all,
  );
  const pods = programmed(snapshot, observed);
  const listeners = body === null ? [] : listenersOf(body, pods, input);
  const addresses = new Map(observed.addresses.map((address) => [address.value, address]));
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: observedAt(generation, [
      accepted(problems, listeners),
      resolvedRefs(body, problems, listeners),
      ...problems.partlyInvalid(),
      pods,
    ]),
    ...(addresses.size > 0 && { addresses: [...addresses.values()].slice(0, MAX_ADDRESSES) }),
    ...(listeners.length > 0 && {
      listeners: listeners.map((listener) => ({
        ...listener,
        conditions: observedAt(generation, listener.conditions),
      })),
    }),
    ...(snapshot !== null && {
      snapshot: {
        hash: snapshot.hash,
        podsReady: podsServing(observed.pods, snapshot.hash),
        podsTotal: observed.pods.length,
      },
    }),
  };
}

function listenerIndex(field: string): number | null {
  return indexIn(['spec', 'listeners'], field);
}

function listenersOf(
  { spec }: EdgeGateway,
  ofGateway: Condition,
  { subject, snapshot, attachedRoutes, observed }: GatewayInput,
): ListenerStatus[] {
  const served = new Set(snapshot?.ports.flatMap(({ listeners }) => listeners.map(({ name }) => name)));
  return spec.listeners.map((listener, index) => {
    const own = subject.isKept ? [] : subject.own.filter(({ field }) => listenerIndex(field) === index);
    const references = referencesOfListener(listener, subject.namespace);
    const problems = new Problems(subject.object, own, references, subject.all);
    const isServed = snapshot !== null && served.has(listener.name);
    return {
      name: listener.name,
      attachedRoutes: attachedRoutes.get(listener.name) ?? 0,
      conditions: [
        listenerAccepted(problems),
        conflicted(problems),
        problems.judge('ResolvedRefs'),
        isServed
          ? listenerProgrammed(listener.name, snapshot, observed, ofGateway)
          : holdsNot('Programmed', 'Invalid', 'this listener is left out: see its other conditions'),
      ],
    };
  });
}

function listenerAccepted(problems: Problems): Condition {
  const reason = problems.reason('Accepted') ?? problems.reason('Conflicted');
  const message = joined([problems.describe('Accepted'), problems.describe('Conflicted')]);
  return reason === undefined
    ? holds('Accepted', 'Accepted', message)
    : holdsNot('Accepted', reason, message);
}

/** The one condition of a listener that is good when it is false. */
function conflicted(problems: Problems): Condition {
  const reason = problems.reason('Conflicted');
  return reason === undefined
    ? holdsNot('Conflicted', 'NoConflicts', '')
    : holds('Conflicted', reason, problems.describe('Conflicted'));
}

function accepted(problems: Problems, listeners: readonly ListenerStatus[]): Condition {
  const own = problems.judge('Accepted');
  if (own.status !== 'True') return own;
  const refused = broken(listeners, 'Accepted');
  if (refused.length === 0) return own;
  const message = joined([
    own.message,
    ...refused.map(({ name, message }) => `listener ${name}: ${message}`),
  ]);
  return refused.length === listeners.length
    ? holdsNot('Accepted', 'ListenersNotValid', message)
    : holds('Accepted', 'ListenersNotValid', message);
}

function resolvedRefs(
  body: EdgeGateway | null,
  problems: Problems,
  listeners: readonly ListenerStatus[],
): Condition {
  if (body === null) {
    return unknown('ResolvedRefs', 'Invalid', 'the gateway is invalid: see the condition Accepted');
  }
  const own = problems.judge('ResolvedRefs');
  const unresolved = broken(listeners, 'ResolvedRefs');
  if (unresolved.length === 0) return own;
  const message = joined([
    own.message,
    ...unresolved.map(({ name, message }) => `listener ${name}: ${message}`),
  ]);
  const reason = own.status === 'False' ? own.reason : 'ListenersNotResolved';
  return holdsNot('ResolvedRefs', reason, message);
}

/** The listeners of which a condition is false, with its message. */
function broken(
  listeners: readonly ListenerStatus[],
  type: string,
): { readonly name: string; readonly message: string }[] {
  return listeners.flatMap(({ name, conditions }) =>
    conditions
      .filter((condition) => condition.type === type && condition.status === 'False')
      .map(({ message }) => ({ name, message })),
  );
}
