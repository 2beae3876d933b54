import { openLocalMembers } from '../proxy/counter/local-members.ts';
import type { Membership } from '../proxy/counter/membership.ts';
import { jsonLog, textLog } from '../proxy/telemetry/log.ts';
import { formatHostPort } from './host-port.ts';
import { type ServicePlace, servicePlaces } from './service-place.ts';
import { Standalone } from './standalone.ts';
import { surviveClosedOutput, untilStopped } from './stopping.ts';

export interface RunOptions {
  readonly file: readonly string[];
  readonly admin: { readonly host: string; readonly port: number };
  readonly address: string;
  readonly service: readonly ServicePlace[];
  readonly members?: string;
  readonly logFormat: 'text' | 'json';
}

/**
 * `sluice run`: serves until SIGTERM or SIGINT, which drains; a second one ends at once.
 * @returns 0 after a stop that was asked for, 1 where there was nothing to serve
 */
export async function run(options: RunOptions): Promise<number> {
  const log = options.logFormat === 'json' ? jsonLog() : textLog();
  surviveClosedOutput(log);
  let members: Membership | undefined;
  try {
    if (options.members !== undefined) members = await openLocalMembers({ directory: options.members, log });
  } catch (error) {
    log.error((error as Error).message);
    return 1;
  }
  const standalone = new Standalone({
    ...(members === undefined ? {} : { members }),
    files: options.file,
    address: options.address,
    admin: options.admin,
    services: servicePlaces(options.service),
    log,
    accessLogOutput: process.stdout,
  });
  const stopped = untilStopped(standalone, log);
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
