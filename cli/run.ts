import { jsonLog, type Log, textLog } from '../proxy/telemetry/log.ts';
import { formatHostPort } from './host-port.ts';
import { type ServicePlace, servicePlaces } from './service-place.ts';
import { Standalone } from './standalone.ts';

export interface RunOptions {
  readonly file: readonly string[];
  readonly admin: { readonly host: string; readonly port: number };
  readonly address: string;
  readonly service: readonly ServicePlace[];
  readonly logFormat: 'text' | 'json';
}

/**
 * `sluice run`: serves until SIGTERM or SIGINT, which drains; a second one ends at once.
 * @returns 0 after a stop that was asked for, 1 where there was nothing to serve
 */
export async function run(options: RunOptions): Promise<number> {
  const log = options.logFormat === 'json' ? jsonLog() : textLog();
  surviveClosedOutput(log);
  const standalone = new Standalone({
    files: options.file,
    address: options.address,
    admin: options.admin,
    services: servicePlaces(options.service),
    log,
    accessLogOutput: process.stdout,
  });
  const stopped = untilStopped(standalone, (message) => log.info(message));
  try {
    const admin = await standalone.start();
    if (admin !== null) {
      for (const { name, protocol, port } of standalone.listeners()) {
        log.info(`listener ${name}: ${protocol.toLowerCase()}://${formatHostPort(options.address, port)}`);
      }
      log.info(`admin: http://${formatHostPort(admin.address, admin.port)}`);
    }
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
  await stopped;
  return 0;
}

/** A pipe whose reader ended costs the access log, never the traffic. */
function surviveClosedOutput(log: Log): void {
  let told = false;
  process.stdout.on('error', (error) => {
    if (!told)
      log.warn({ error: error.message }, 'standard output cannot be written: the access log is lost');
    told = true;
  });
}

function untilStopped(standalone: Standalone, say: (message: string) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = false;
  const stop = (): void => {
    if (asked) {
      say('stopping at once');
      void standalone.stop().then(resolve);
      return;
    }
    asked = true;
    say('draining; once more to stop at once');
    void standalone.drain().then(resolve);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Started by another program with a channel to it: when that is gone, however it ended, nobody else will stop us.
  if (process.connected) {
    process.once('disconnect', stop);
    // It is listened to, and yet no reason to stay once everything else has ended.
    process.channel?.unref();
  }
  return promise;
}
