import type { AccessRecord } from './access-log.ts';

/**
 * A record as one line of JSON. Written out by hand, since the fields are always the same and there is one for every
 * request: it takes a third of the time of a logger.
 * @param time ISO 8601
 */
export function accessLine(record: AccessRecord, time: string): string {
  const { status, bytesIn, bytesOut } = record;
  return `{"log":"access","time":"${time}","listener":${text(record.listener)},"rule":${text(record.rule)},"method":${text(record.method)},"host":${text(record.host)},"path":${text(record.path)},"protocol":"${record.protocol}","status":${status},"reason":${text(record.reason)},"client":${text(record.client)},"userId":${text(record.userId)},"pool":${text(record.pool)},"endpoint":${text(record.endpoint)},"durationMs":${toMicroseconds(record.durationMs)},"bytesIn":${bytesIn},"bytesOut":${bytesOut}}\n`;
}

/** Three decimals: what a clock says beyond that is noise. */
function toMicroseconds(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000;
}

/** A JSON string. Nearly all are printable ASCII without anything to escape; the rest goes the general way. */
function text(value: string | null): string {
  if (value === null) return 'null';
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return JSON.stringify(value);
  }
  return `"${value}"`;
}

/** The time in ISO 8601, worked out once a millisecond. */
export class IsoTime {
  #ms = Number.NaN;
  #text = '';

  now(): string {
    const ms = Date.now();
    if (ms !== this.#ms) {
      this.#ms = ms;
      this.#text = new Date(ms).toISOString();
    }
    return this.#text;
  }
}
