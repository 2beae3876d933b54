import type { Snapshot } from '../../proxy/config/snapshot.ts';
import type { Diagnostic, Resource } from '../resources/index.ts';
import { compileCertificates } from './certificates.ts';
import type { Environment } from './environment.ts';
import type { CompileFacts } from './facts.ts';
import { compileGateway } from './gateway.ts';
import { ServicePools } from './ingress-backends.ts';
import { assignIngresses } from './ingress-classes.ts';
import { indexObjects, objectId } from './objects.ts';
import { compilePools } from './pools.ts';
import { PortClaims } from './ports.ts';
import { Report } from './report.ts';
import { compileRuleLists } from './rule-lists.ts';
import { validateContent } from './validate-snapshot.ts';

export interface CompileInput {
  /** In any order: the result does not depend on it. */
  readonly resources: readonly Resource[];
  /** Milliseconds since the epoch. Only what is said about the validity of certificates depends on it. */
  readonly now: number;
  /** `Standalone`, unless given. */
  readonly environment?: Environment;
}

export interface CompileResult {
  /** One for each valid EdgeGateway, by namespace and name. */
  readonly snapshots: readonly Snapshot[];
  /** By file and place. Nothing that is reported keeps the rest from being compiled. */
  readonly diagnostics: readonly Diagnostic[];
  /** The objects that are of no use at all, as `Kind/namespace/name`, sorted. */
  readonly rejected: ReadonlySet<string>;
  readonly facts: CompileFacts;
}

/**
 * Turns resources into what proxies execute. Pure: no clock, no randomness, no I/O; equal resources give
 * byte-identical results. It never throws for what a user wrote: a bad object, or the bad part of one, is
 * left out and reported.
 */
export function compile({ resources, now, environment = 'Standalone' }: CompileInput): CompileResult {
  const report = new Report();

  // Everything later sees valid objects only, in a fixed order.
  const objects = indexObjects(resources, report);

  // What is referred to comes before what refers to it.
  const certificates = compileCertificates(objects, now, environment, report);
  const pools = compilePools({ environment, objects, certificates, report });
  const servicePools = new ServicePools(environment, objects);
  const ingresses = assignIngresses(objects, environment, report);
  const ruleLists = compileRuleLists(objects, ingresses.gateways, report);

  // Where gateways share the ports of one process, the order of their names decides who comes first; all of them come
  // before what Ingresses ask for.
  const ports = new PortClaims(environment, report);
  const claims = [...objects.gateways.values()].map((gateway) => ({
    gateway,
    claimed: ports.claim(gateway),
  }));
  const gateways = claims.map(({ gateway, claimed }) =>
    compileGateway({
      gateway,
      claimed,
      ports,
      ingresses: ingresses.servedBy(objectId(gateway)),
      objects,
      certificates,
      pools,
      servicePools,
      ruleLists,
      report,
    }),
  );

  for (const { snapshot } of gateways) validateContent(snapshot);
  return {
    snapshots: gateways.map(({ snapshot }) => snapshot),
    diagnostics: report.diagnostics(),
    rejected: report.rejectedKeys(),
    facts: {
      attachedRoutes: new Map(gateways.map(({ id, attachedRoutes }) => [id, attachedRoutes])),
      ruleLists: ruleLists.attached,
      ingresses: ingresses.gateways,
    },
  };
}
