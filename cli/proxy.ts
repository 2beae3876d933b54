import { once } from 'node:events';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { systemClock, UndiciTransport } from '../kubernetes/index.ts';
import { PodProxy } from '../proxy/pod/pod-proxy.ts';
import { jsonLog, textLog } from '../proxy/telemetry/log.ts';
import { type AccessOptions, credentialsOrNull } from './credentials.ts';
import { formatHostPort } from './host-port.ts';
import { surviveClosedOutput, untilStopped } from './stopping.ts';

export interface ProxyCommandOptions extends AccessOptions {
  readonly namespace: string;
  readonly gateway: string;
  readonly snapshotSecret: string;
  readonly snapshotVolume: string;
  /** Seconds. */
  readonly shutdownDelay: number;
  readonly address?: string;
  readonly admin: { readonly host: string; readonly port: number };
  readonly statusPort: number;
  readonly logFormat: 'text' | 'json';
}

/**
 * `sluice proxy`: serves one gateway in a pod until SIGTERM or SIGINT, which drains; a second one ends at once.
 * @returns 0 after a stop that was asked for, 1 where it could not begin
 */
export async function proxy(options: ProxyCommandOptions): Promise<number> {
  const log = options.logFormat === 'json' ? jsonLog() : textLog();
  surviveClosedOutput(log);
  const { namespace, gateway: name } = options;
  const credentials = await credentialsOrNull(options, log);
  if (credentials === null) return 1;
  const address = options.address ?? (await everyAddress());
  const transport = new UndiciTransport(credentials, systemClock);
  const pod = new PodProxy({
    gateway: { namespace, name },
    pod: process.env.POD_NAME ?? hostname(),
    snapshotSecret: options.snapshotSecret,
    snapshotVolume: options.snapshotVolume,
    shutdownDelayMs: options.shutdownDelay * 1000,
    address,
    admin: options.admin,
    status: { host: address, port: options.statusPort },
    transport,
    clock: systemClock,
    random: Math.random,
    log,
    accessLogOutput: process.stdout,
  });
  const stopped = untilStopped(pod, log);
  try {
    const { admin, status } = await pod.start();
    log.info(`admin: http://${formatHostPort(admin.address, admin.port)}`);
    log.info(`status: http://${formatHostPort(status.address, status.port)}`);
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error));
    await transport.close();
    return 1;
  }
  await stopped;
  await transport.close();
  return 0;
}

/** `::` is IPv4 as well, but a machine can be without IPv6. */
async function everyAddress(): Promise<string> {
  const server = createServer();
  try {
    server.listen(0, '::');
    await once(server, 'listening');
  } catch {
    return '0.0.0.0';
  }
  server.close();
  return '::';
}
