/** For `store/file-store.test.ts`: holds a Lease until it is killed. */
import { silentLog } from '../../telemetry/log.ts';
import { monotonicClock } from '../driver/monotonic-clock.ts';
import { DEFAULT_SETTINGS } from '../protocol/settings.ts';
import { FileStore } from '../store/file-store.ts';

const [, , directory = ''] = process.argv;
const settings = { ...DEFAULT_SETTINGS, shards: 2, callTimeoutMs: 500 };
const store = new FileStore({ directory, settings, clock: monotonicClock, log: silentLog });
const nothing = () => {};
const session = store.open(
  { incarnation: 'child.1', address: '' },
  { seen: nothing, gone: nothing, listed: nothing, died: nothing },
);
const draft = {
  phase: 'held',
  holder: 'child.1',
  transitions: 0,
  revision: 1,
  voters: ['child.1'],
  members: [],
  handover: '',
  draining: false,
  replaces: '',
  restored: false,
} as const;
session.call({ kind: 'create', name: 'member/child.1', draft }, ({ outcome }) => console.log(outcome));
process.stdin.resume().on('end', () => process.exit());
