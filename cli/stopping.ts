/** What processes that carry traffic have in common at their end. */
import type { Log } from '../proxy/telemetry/log.ts';

/** A pipe whose reader ended costs the access log, never the traffic. */
export function surviveClosedOutput(log: Log): void {
  let told = false;
  process.stdout.on('error', (error) => {
    if (!told)
      log.warn({ error: error.message }, 'standard output cannot be written: the access log is lost');
    told = true;
  });
}

export interface Stoppable {
  /** Lets go of what is open, then ends. */
  drain(): Promise<void>;
  /** Ends at once. */
  stop(): Promise<void>;
}

/** Drains at the first SIGTERM or SIGINT and stops at the second; resolves when it has ended. */
export function untilStopped(service: Stoppable, log: Log): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = false;
  const stop = (): void => {
    if (asked) {
      log.info('stopping at once');
      void service.stop().then(resolve);
      return;
    }
    asked = true;
    log.info('draining; once more to stop at once');
    void service.drain().then(resolve);
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
