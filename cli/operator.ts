import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { CredentialsError, loadCredentials, systemClock, UndiciTransport } from '../kubernetes/index.ts';
import { Operator } from '../operator/control/operator.ts';
import { StatusServer } from '../operator/control/status-server.ts';
import { jsonLog, textLog } from '../proxy/telemetry/log.ts';
import { untilSignalled } from './signals.ts';

export interface OperatorCommandOptions {
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecret: readonly string[];
  readonly watchNamespace: readonly string[];
  readonly leaderElectionNamespace?: string;
  readonly statusPort: number;
  readonly networkPolicy: boolean;
  readonly ingress: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly logFormat: 'text' | 'json';
}

/** `sluice operator`: until SIGTERM or SIGINT. @returns 0 after a stop that was asked for, 1 without a cluster */
export async function operator(options: OperatorCommandOptions): Promise<number> {
  const log = options.logFormat === 'json' ? jsonLog() : textLog();
  const { kubeconfig, context, watchNamespace, settings } = { ...options, settings: settingsOf(options) };
  let credentials: Awaited<ReturnType<typeof loadCredentials>>;
  try {
    credentials = await loadCredentials({
      env: process.env,
      clock: systemClock,
      ...(kubeconfig !== undefined && { kubeconfig }),
      ...(context !== undefined && { context }),
    });
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    log.error(error.message);
    return 1;
  }
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
    settings,
  });
  const status = new StatusServer(running);
  try {
    await status.listen('::', options.statusPort);
  } catch (error) {
    log.error(`status port ${options.statusPort}: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  const signalled = untilSignalled();
  const started = running.start();
  await signalled;
  log.info('stopping');
  await running.stop();
  await Promise.all([status.close(), transport.close()]);
  // A start that was cut short by the stop has nothing more to say.
  await Promise.race([started, Promise.resolve()]);
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
