import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaderElection } from './leader-election.ts';
import { LEASES, type Lease, leaseApi } from './lease.ts';
import { eventually, runUntil } from './testing/eventually.ts';
import { type SimulationResult, simulate } from './testing/lease-simulation.ts';
import { type Rig, rig } from './testing/rig.ts';

const SEEDS = Number(process.env.SEEDS ?? 40);
const MINUTE_MS = 60_000;

const simulateSeed = (seed: number, maxClockRatio: number) =>
  simulate({ seed, processes: 3, maxClockRatio, troubledMs: 10 * MINUTE_MS });

test('never two leaders at the same instant, and one again when trouble is over', async (t) => {
  const results: SimulationResult[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await simulateSeed(seed, 1.49);
    assert.deepEqual(result.violations, [], `seed ${seed}`);
    assert.ok(result.recoveryMs < 90_000, `seed ${seed}: a leader after ${result.recoveryMs} ms`);
    results.push(result);
  }
  const sum = (field: 'terms' | 'deletions' | 'stalls') =>
    results.reduce((total, result) => total + result[field], 0);
  assert.ok(
    sum('terms') > 3 * SEEDS && sum('deletions') > SEEDS && sum('stalls') > SEEDS,
    'there was trouble',
  );
  t.diagnostic(`${sum('terms')} terms, ${sum('deletions')} deletions, ${sum('stalls')} stalls`);
});

test('with clocks that differ by more than is allowed, the observer does see two leaders', async () => {
  let violations: readonly string[] = [];
  for (let seed = 1; seed <= SEEDS && violations.length === 0; seed++) {
    ({ violations } = await simulateSeed(seed, 4));
  }
  assert.notEqual(violations.length, 0);
});

test('without trouble there is one term that does not end', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const options = { seed, processes: 3, maxClockRatio: 1.2, troubledMs: 10 * MINUTE_MS, isCalm: true };
    const { violations, terms, recoveryMs } = await simulate(options);
    assert.deepEqual({ violations, terms, recoveryMs }, { violations: [], terms: 1, recoveryMs: 0 });
  }
});

const NAME = { namespace: 'sluice', name: 'operator' };

/** A candidate over HTTP; what it leads is over at once when it must be. */
function candidate({ transport, clock, lines }: Rig, identity: string) {
  const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const signals: AbortSignal[] = [];
  const election = new LeaderElection({
    api: leaseApi(transport, NAME, 3_000),
    identity,
    clock,
    random: () => 0.5,
    log,
    lead: (signal) => {
      signals.push(signal);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    },
  });
  election.start();
  return { election, signals };
}

function specOf({ server }: Rig): Lease['spec'] {
  return (server.etcd.get('/apis/coordination.k8s.io/v1/leases', NAME.namespace, NAME.name) as Lease | null)
    ?.spec;
}

test('over HTTP: takes a new Lease on probation, renews it, and hands it over at once when it stops', async (t) => {
  const r = await rig(t);
  const a = candidate(r, 'a');
  const tookMs = await runUntil(r.clock, () => a.election.isLeader(), 'a leads');
  assert.ok(tookMs >= 15_000, `a Lease that was not there is waited for: ${tookMs} ms`);
  const b = candidate(r, 'b');
  await runUntil(r.clock, () => specOf(r)?.renewTime !== specOf(r)?.acquireTime, 'a renews');
  const { acquireTime, renewTime, ...spec } = specOf(r)!;
  assert.deepEqual(spec, { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
  assert.match(renewTime ?? '', /^2026-01-01T00:0\d:\d\d\.\d{6}Z$/);
  assert.equal(b.election.isLeader(), false);

  await a.election.stop();
  assert.equal(a.signals[0]?.aborted, true);
  assert.equal(specOf(r)?.holderIdentity, '');
  const handoverMs = await runUntil(r.clock, () => b.election.isLeader(), 'b leads');
  assert.ok(handoverMs < 5_000, `after ${handoverMs} ms`);
  await b.election.stop();
  assert.equal(r.clock.pending, 0);
});

test('over HTTP: the Lease is renewed until the last work is done, and released then', async (t) => {
  const r = await rig(t);
  const work = Promise.withResolvers<void>();
  const election = new LeaderElection({
    api: leaseApi(r.transport, NAME, 3_000),
    identity: 'a',
    clock: r.clock,
    random: () => 0.5,
    log: { info: () => {}, warn: () => {} },
    lead: () => work.promise,
  });
  election.start();
  await runUntil(r.clock, () => election.isLeader(), 'a leads');
  const stopping = election.stop();
  const renewedAt = specOf(r)?.renewTime;
  const stoppedAtMs = r.clock.now();
  await runUntil(r.clock, () => r.clock.now() - stoppedAtMs > 30_000, 'time');
  assert.equal(specOf(r)?.holderIdentity, 'a');
  assert.notEqual(specOf(r)?.renewTime, renewedAt);
  assert.equal(election.isLeader(), true, 'what is left to do is done as the leader');
  work.resolve();
  await stopping;
  assert.equal(specOf(r)?.holderIdentity, '');
  assert.equal(election.isLeader(), false);
});

test('over HTTP: a Lease on probation is not released, since its former holder may still lead', async (t) => {
  const r = await rig(t);
  const a = candidate(r, 'a');
  await runUntil(r.clock, () => specOf(r)?.holderIdentity === 'a', 'a has the Lease');
  await a.election.stop();
  assert.equal(specOf(r)?.holderIdentity, 'a');
});

test('over HTTP: a leader without its server stops in time; the one who still reaches it takes over', async (t) => {
  const r = await rig(t);
  const a = candidate(r, 'a');
  await runUntil(r.clock, () => a.election.isLeader(), 'a leads');
  const b = candidate(r, 'b');
  await runUntil(r.clock, () => r.server.requests.some(({ method }) => method === 'GET'), 'b looks');
  // From here on a's renewals arrive, but their answers get lost after the first.
  r.server.fault = ({ body }) => (body.includes('"holderIdentity":"a"') ? { kind: 'cut' } : undefined);
  const endMs = await runUntil(r.clock, () => !a.election.isLeader(), 'a stops');
  assert.ok(endMs <= 10_000, `after ${endMs} ms`);
  assert.equal(a.signals[0]?.aborted, true);
  await runUntil(r.clock, () => b.election.isLeader(), 'b leads');
  assert.equal(specOf(r)?.leaseTransitions, 1);
  assert.match(r.lines.join('\n'), /a no longer leads: the Lease could not be renewed in time/);
  r.server.fault = () => undefined;
  await Promise.all([a.election.stop(), b.election.stop()]);
});

test('over HTTP: renewals whose answers are lost do not prolong a term, and the next that is heard does', async (t) => {
  const r = await rig(t);
  const a = candidate(r, 'a');
  await runUntil(r.clock, () => a.election.isLeader(), 'a leads');
  let lost = 0;
  r.server.fault = ({ method }) => (method === 'PUT' && lost++ < 2 ? { kind: 'loseAnswer' } : undefined);
  await runUntil(r.clock, () => lost >= 4, 'renewals');
  const before = r.clock.now();
  await runUntil(r.clock, () => r.clock.now() - before > 20_000, 'time');
  assert.equal(a.election.isLeader(), true);
  assert.equal(a.signals.length, 1, 'the same term');
  await a.election.stop();
});

test('over HTTP: a leader whose Lease was deleted goes on, and one whose Lease was taken stops', async (t) => {
  const r = await rig(t);
  const a = candidate(r, 'a');
  await runUntil(r.clock, () => a.election.isLeader(), 'a leads');
  r.server.delete(LEASES, NAME.namespace, NAME.name);
  await runUntil(r.clock, () => specOf(r)?.holderIdentity === 'a', 'the Lease is there again');
  assert.equal(a.signals[0]?.aborted, false);
  const thief = { holderIdentity: 'thief', leaseDurationSeconds: 15, leaseTransitions: 7 };
  r.server.put(LEASES, { metadata: { ...NAME }, spec: thief });
  await runUntil(r.clock, () => a.signals[0]?.aborted === true, 'a stops');
  assert.equal(a.election.isLeader(), false);
  assert.match(r.lines.at(-1) ?? '', /a no longer leads: thief has taken the Lease/);
  await runUntil(
    r.clock,
    () => a.election.isLeader(),
    'a leads again, when the thief is silent for long enough',
  );
  await eventually(() => specOf(r)?.leaseTransitions === 8, 'a transition');
  await a.election.stop();
});
