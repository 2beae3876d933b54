/** Gateways, and settings of an operator, with the objects that are to come of them: `test/golden/infrastructure`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { compile } from '../../compile/compile.ts';
import { loadResources } from '../../resources/index.ts';
import type { EdgeGateway } from '../../resources/types.ts';
import type { InfrastructureInput } from '../context.ts';
import type { InfrastructureSettings } from '../settings.ts';

export const CASES = join(import.meta.dirname, '../../../test/golden/infrastructure');

export const SETTINGS: InfrastructureSettings = {
  image: 'sluice:0.1.0',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  operatorNamespace: 'sluice-system',
  operatorPodLabels: { 'app.kubernetes.io/component': 'operator' },
  networkPolicy: true,
  shutdownDelaySeconds: 5,
};

export function caseNames(): string[] {
  return readdirSync(CASES)
    .filter((file) => file.endsWith('.in.yaml'))
    .map((file) => file.slice(0, -'.in.yaml'.length));
}

/** What each gateway of a case needs; what is served is compiled from the same file. */
export function inputsOf(name: string): InfrastructureInput[] {
  const file = join(CASES, `${name}.settings.yaml`);
  const { settings = {}, parts = [] } = existsSync(file) ? parse(readFileSync(file, 'utf8')) : {};
  return inputsFrom(readFileSync(join(CASES, `${name}.in.yaml`), 'utf8')).map((input) => ({
    ...input,
    parts,
    settings: { ...SETTINGS, ...settings },
  }));
}

/** @param text YAML with gateways, and pools if they are to have some */
export function inputsFrom(text: string): InfrastructureInput[] {
  const { resources } = loadResources(text, 'test.yaml');
  const { snapshots } = compile({ resources, now: Date.UTC(2026, 0) });
  return resources
    .filter((resource) => resource.kind === 'EdgeGateway')
    .map(({ body, namespace, name }) => {
      const snapshot = snapshots.find(
        ({ gateway }) => gateway.namespace === namespace && gateway.name === name,
      );
      if (snapshot === undefined) throw new Error(`${namespace}/${name}: found no snapshot, expected one`);
      return { gateway: body as EdgeGateway, snapshot, parts: [], settings: SETTINGS };
    });
}
