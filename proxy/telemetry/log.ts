import { pino } from 'pino';
import type { Channel, WorkerChannel } from '../workers/channel.ts';
import { topic } from '../workers/channel.ts';

/** Fields of a log line: never tokens, cookies, keys or query strings. */
export type LogFields = Readonly<Record<string, unknown>>;

interface LogLine {
  (message: string): void;
  (fields: LogFields, message: string): void;
}

/** What the program says to its operator: rare, each line worth reading. Shaped as a pino logger. */
export interface Log {
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
}

type Level = 'info' | 'warn' | 'error';

interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields: LogFields;
}

const logLine = topic<Line>('telemetry.log');

function logOf(write: (line: Line) => void): Log {
  const at =
    (level: Level): LogLine =>
    (first: string | LogFields, message?: string) => {
      if (typeof first === 'string') write({ level, message: first, fields: {} });
      else write({ level, message: message ?? '', fields: first });
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** JSON lines on standard error, for machines. */
export function jsonLog(): Log {
  const logger = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2 }));
  return logOf(({ level, message, fields }) => logger[level](fields, message));
}

/** Plain lines on standard error, for a person at a terminal. */
export function textLog(stream: NodeJS.WritableStream = process.stderr): Log {
  // Nobody reads it any more, and there is nobody else to tell: traffic goes on.
  stream.on('error', () => {});
  return logOf(({ level, message, fields }) => {
    const details = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
    const prefix = level === 'info' ? '' : `${level}: `;
    stream.write(`${prefix}${[message, ...details].join('  ')}\n`);
  });
}

/** Says nothing. */
export const silentLog: Log = logOf(() => {});

/** A worker's log: its lines are printed by the main thread. */
export function workerLog(channel: Channel): Log {
  return logOf((line) => channel.post(logLine, line));
}

/** Prints a worker's lines in the main thread's log. */
export function forwardWorkerLog(channel: WorkerChannel, log: Log): void {
  channel.on(logLine, ({ level, message, fields }) =>
    log[level]({ ...fields, worker: channel.workerId }, message),
  );
}
