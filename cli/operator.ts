import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { systemClock, UndiciTransport } from '../kubernetes/index.ts';
import { Operator } from '../operator/control/operator.ts';
import { healthPages } from '../proxy/admin/health-pages.ts';
import { ReadOnlyServer } from '../proxy/admin/read-only-server.ts';
import { jsonLog, textLog } from '../proxy/telemetry/log.ts';
import { type AccessOptions, credentialsOrNull } from './credentials.ts';
import { untilStopped } from './stopping.ts';

export interface OperatorCommandOptions extends AccessOptions {
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecret: readonly string[];
  readonly watchNamespace: readonly string[];
  readonly leaderElectionNamespace?: string;
  readonly statusPort: number;
  readonly networkPolicy: boolean;
  readonly ingress: boolean;
  readonly logFormat: 'text' | 'json';
}

/** `sluice operator`: until SIGTERM or SIGINT. @returns 0 after a stop that was asked for, 1 without a cluster */
export async function operator(options: OperatorCommandOptions): Promise<number> {
  const log = options.logFormat === 'json' ? jsonLog() : textLog();
  const { watchNamespace } = options;
  const credentials = await credentialsOrNull(options, log);
  if (credentials === null) return 1;
  const transport = new UndiciTransport(credentials, systemClock);
  const namespace = process.env.POD_NAMESPACE ?? credentials.namespace;
  const running = new Operator({
    transport,
    clock: systemClock,
    random: Math.random,
    log,
    identity: `${process.env.POD_NAME ?? hostname()}_${randomUUID()}`,
    namespaces: watchNamespace.length === 0 ? null : [...new Set(watchNamespace)].sort(),
    leaseNamespace: options.leaderElectionNamespace ?? namespace,
    ingress: options.ingress,
    settings: settingsOf(options),
  });
  const status = new ReadOnlyServer(healthPages(running));
  try {
    await status.listen('::', options.statusPort);
  } catch (error) {
    log.error(`status port ${options.statusPort}: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  const stopped = untilStopped({ drain: () => running.stop(), stop: async () => process.exit(1) }, log);
  // What it rejects with is our bug, and ends the process.
  void running.start();
  await stopped;
  await Promise.all([status.close(), transport.close()]);
  return 0;
}

function settingsOf(options: OperatorCommandOptions) {
  const { image, imagePullPolicy, imagePullSecret, networkPolicy } = options;
  return {
    image,
    imagePullPolicy,
    imagePullSecrets: imagePullSecret,
    operatorNamespace: process.env.POD_NAMESPACE ?? 'default',
    operatorPodLabels: { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/component': 'operator' },
    networkPolicy,
    shutdownDelaySeconds: 5,
  };
}
