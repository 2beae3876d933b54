import { jsonLog, textLog } from '../proxy/telemetry/log.ts';
import { formatHostPort } from './host-port.ts';
import { Standalone } from './standalone.ts';

export interface RunOptions {
  readonly file: readonly string[];
  readonly admin: { readonly host: string; readonly port: number };
  readonly address: string;
  readonly logFormat: 'text' | 'json';
}

/**
 * `sluice run`: serves until SIGTERM or SIGINT, which drains; a second one ends at once.
 * @returns 0 after a stop that was asked for, 1 where there was nothing to serve
 */
export async function run(options: RunOptions): Promise<number> {
  const log = options.logFormat === 'json' ? jsonLog() : textLog();
  const standalone = new Standalone({
    files: options.file,
    address: options.address,
    admin: options.admin,
    log,
    accessLogOutput: process.stdout,
  });
  const stopped = untilStopped(standalone, (message) => log.info(message));
  try {
    const admin = await standalone.start();
    for (const { ports } of standalone.snapshots) {
      for (const { port, listeners } of ports) {
        for (const { name, protocol } of listeners) {
          log.info(`listener ${name}: ${protocol.toLowerCase()}://${formatHostPort(options.address, port)}`);
        }
      }
    }
    log.info(`admin: http://${formatHostPort(admin.address, admin.port)}`);
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
  await stopped;
  return 0;
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
  return promise;
}
