import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Identity } from '../authentication/identity.ts';
import type { CountRule, RuleList } from '../config/snapshot.ts';
import type { Acquisition, Counter, Demand } from '../counter/counter.ts';
import { LocalCounter } from '../counter/local-counter.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { channelPair } from '../workers/channel.ts';
import { type Admission, Firewall, type Refused } from './firewall.ts';
import { claimsOf, type FirewallClient } from './rules.ts';
import { TotalsReporter } from './totals.ts';

class InProcess implements Counter {
  readonly local = new LocalCounter();
  readonly asked: (readonly Demand[])[] = [];
  readonly onRevoked: (() => void)[] = [];
  readonly released: number[] = [];

  constructor() {
    this.local.addMember(1);
  }

  async acquire(connection: number, demands: readonly Demand[], onRevoked: () => void): Promise<Acquisition> {
    this.asked.push(demands);
    this.onRevoked.push(onRevoked);
    return this.local.acquire(1, connection, demands);
  }

  release(connection: number): void {
    this.released.push(connection);
    this.local.release(1, connection);
  }
}

const outage: Counter = {
  acquire: async () => ({ outcome: 'unavailable', reason: 'test' }),
  release: () => assert.fail('nothing is held'),
};

function rule(type: CountRule['type'], members: Partial<CountRule> = {}): CountRule {
  return { type, name: type, claimName: null, maxCount: 1, ...members };
}

const byUser = (maxCount = 1) => rule('ThrottleByUserIdRule', { maxCount });
const byIp = (maxCount = 1) => rule('ThrottleByClientIpRule', { maxCount });
const byToken = (maxCount = 1) => rule('ThrottleByJwtSignatureRule', { maxCount });
const byClaim = (claimName: string, maxCount = 1) =>
  rule('ThrottleByJwtCustomClaimRule', { claimName, maxCount, name: `claim-${claimName}` });

function list(countRules: readonly CountRule[], members: Partial<RuleList> = {}): RuleList {
  return {
    id: 'default/per-user',
    mode: 'Enforce',
    failurePolicy: 'Closed',
    countRequests: false,
    retryAfterSeconds: 7,
    countRules,
    trafficRules: [],
    maxLifetimeMs: 0,
    ...members,
  };
}

function client(userId: string | null = 'alice', members: Record<string, string> = {}): FirewallClient {
  const identity: Identity = {
    userId,
    signatureDigest: `signature of ${userId}`,
    claim: (name) => members[name],
  };
  return { identity, clientAddress: '192.0.2.1' };
}

function firewall(lists: readonly RuleList[], counter: Counter = new InProcess()) {
  const metrics = new Metrics();
  const said: unknown[] = [];
  const clock = { nowMs: 0 };
  const log = { warn: (message: unknown) => said.push(message) };
  const totals = new TotalsReporter({ channel: channelPair()[0] });
  const under = new Firewall({ counter, metrics, totals, log, now: () => clock.nowMs });
  under.apply(lists);
  const ids = lists.map(({ id }) => id);
  const connect = async (who: FirewallClient = client()): Promise<Admission> =>
    under.admit(ids, 'connection', who);
  const decisions = () => {
    const family = metrics.report().find(({ name }) => name === 'sluice_firewall_decisions_total');
    const counted = family?.series.filter(({ value }) => value > 0) ?? [];
    return counted.map(({ labels, value }) => `${labels.slice(1).join(' ')} ${value}`);
  };
  return { under, connect, metrics, totals, decisions, said, clock };
}

function refusal(admission: Admission): Refused {
  assert(!admission.admitted);
  return admission;
}

test('the connection over the limit is refused with what is limited, and never who it is', async () => {
  const { connect, decisions } = firewall([list([byUser(2)])]);
  await connect();
  await connect();
  assert.deepEqual(await connect(), {
    admitted: false,
    status: 429,
    reason: 'too_many_connections',
    ruleList: 'default/per-user',
    rule: 'ThrottleByUserIdRule',
    message:
      'A user may have at most 2 connections open at the same time (rule ThrottleByUserIdRule of default/per-user).',
    retryAfterSeconds: 7,
  });
  assert((await connect(client('bob'))).admitted);
  assert.deepEqual(decisions(), ['ThrottleByUserIdRule admitted 3', 'ThrottleByUserIdRule rejected 1']);
});

test('a released connection makes room, once, however often it is released', async () => {
  const counter = new InProcess();
  const { connect } = firewall([list([byUser()])], counter);
  const first = await connect();
  assert(first.admitted);
  first.release();
  first.release();
  assert.deepEqual(counter.released, [1]);
  assert((await connect()).admitted);
  assert(!(await connect()).admitted);
});

test('rules are decided in order, over all lists, and the first violated one is named', async () => {
  const lists = [list([byUser(2), byIp(9)]), list([byToken(2)], { id: 'default/second' })];
  const { connect } = firewall(lists);
  await connect();
  await connect();
  assert.equal(refusal(await connect()).rule, 'ThrottleByUserIdRule');
  const stranger = {
    ...client('alice'),
    identity: { ...client('bob').identity!, signatureDigest: 'signature of alice' },
  };
  const refused = refusal(await connect(stranger));
  assert.deepEqual([refused.ruleList, refused.rule], ['default/second', 'ThrottleByJwtSignatureRule']);
});

test('a connection that a later rule refuses leaves no trace on an earlier one', async () => {
  const counter = new InProcess();
  const { connect } = firewall([list([byIp(3), byUser(1)])], counter);
  await connect(client('alice'));
  for (let i = 0; i < 10; i++) assert(!(await connect(client('alice'))).admitted);
  assert((await connect(client('bob'))).admitted);
  assert((await connect(client('carol'))).admitted);
  assert.equal(refusal(await connect(client('dave'))).rule, 'ThrottleByClientIpRule');
});

test('a rule is skipped when the token has no such claim, or when there is no token', async () => {
  const counter = new InProcess();
  const { under, connect } = firewall([list([byUser(0), byClaim('freeUser', 0), byToken(0)])], counter);
  const anonymous = under.admit(['default/per-user'], 'connection', {
    identity: null,
    clientAddress: '192.0.2.1',
  });
  assert(!(anonymous instanceof Promise) && anonymous.admitted, 'nothing to count: synchronous');
  assert.equal(refusal(await connect(client(null))).rule, 'ThrottleByJwtSignatureRule');
  assert.equal(refusal(await connect(client(null, { freeUser: 'true' }))).rule, 'claim-freeUser');
});

test('counts outlive a reordering, other rules, a new name and another maximum', async () => {
  const { under, connect } = firewall([list([byUser(2), byIp(50)])]);
  await connect();
  await connect();
  under.apply([list([byClaim('x'), byIp(60), { ...byUser(2), name: 'users' }], { mode: 'Enforce' })]);
  assert.equal(refusal(await connect()).rule, 'users');
  under.apply([list([byUser(3)])]);
  assert((await connect()).admitted);
  under.apply([list([byUser(1)])]);
  assert(!(await connect()).admitted);
});

test('a list of another name, and a rule about another claim, have counts of their own', async () => {
  const { under, connect } = firewall([list([byClaim('a')])]);
  await connect(client('u', { a: 'v', b: 'v' }));
  under.apply([list([byClaim('b')])]);
  assert((await connect(client('u', { a: 'v', b: 'v' }))).admitted);
  under.apply([list([byClaim('a')], { id: 'default/other' }), list([])]);
  const other = await under.admit(['default/other'], 'connection', client('u', { a: 'v' }));
  assert(other.admitted);
});

test('a dry run counts and reports, and refuses nothing', async () => {
  const { connect, decisions } = firewall([list([byUser(1)], { mode: 'DryRun' })]);
  for (let i = 0; i < 3; i++) assert((await connect()).admitted);
  assert.deepEqual(decisions(), [
    'ThrottleByUserIdRule admitted 1',
    'ThrottleByUserIdRule dry_run_exceeded 2',
  ]);
});

test('connections of a dry run count once it is enforced', async () => {
  const { under, connect } = firewall([list([byUser(2)], { mode: 'DryRun' })]);
  await connect();
  await connect();
  under.apply([list([byUser(2)])]);
  assert(!(await connect()).admitted);
});

test('plain requests count only where countRequests says so', async () => {
  const { under } = firewall([
    list([byUser(1)]),
    list([byUser(1)], { id: 'default/all', countRequests: true }),
  ]);
  const uncounted = under.admit(['default/per-user'], 'request', client());
  assert(!(uncounted instanceof Promise) && uncounted.admitted);
  const both = ['default/per-user', 'default/all'];
  assert((await under.admit(both, 'request', client())).admitted);
  assert.equal(refusal(await under.admit(both, 'request', client())).ruleList, 'default/all');
});

test('the shortest lifetime of the lists holds, for connections', () => {
  const lists = [0, 5000, 3000].map((maxLifetimeMs, n) => list([], { id: `default/${n}`, maxLifetimeMs }));
  const { under } = firewall(lists);
  const lifetime = (ids: string[], kind: 'connection' | 'request' = 'connection') => {
    const admission = under.admit(ids, kind, client());
    assert(!(admission instanceof Promise) && admission.admitted);
    return admission.maxLifetimeMs;
  };
  assert.equal(lifetime(['default/0', 'default/1', 'default/2']), 3000);
  assert.equal(lifetime(['default/0']), 0);
  assert.equal(lifetime(['default/1'], 'request'), 0);
});

test('a list that a reload took away meanwhile is passed over', () => {
  const { under } = firewall([]);
  const admission = under.admit(['default/gone'], 'connection', client());
  assert(!(admission instanceof Promise) && admission.admitted);
});

test('without a count: Closed and Local answer 503, Open and a dry run admit', async () => {
  for (const failurePolicy of ['Closed', 'Local'] as const) {
    const refused = refusal(await firewall([list([byUser()], { failurePolicy })], outage).connect());
    assert.deepEqual(
      [refused.status, refused.reason, refused.retryAfterSeconds],
      [503, 'count_unavailable', 7],
    );
  }
  const open = firewall([list([byUser()], { failurePolicy: 'Open' })], outage);
  const admission = await open.connect();
  assert(admission.admitted);
  admission.release();
  const unenforced = open.metrics.report().find(({ name }) => name === 'sluice_firewall_unenforced_total');
  assert.equal(unenforced?.series[0]?.value, 1);
  assert.deepEqual(open.decisions(), ['ThrottleByUserIdRule unavailable 1']);
  assert((await firewall([list([byUser()], { mode: 'DryRun' })], outage).connect()).admitted);
});

test('admitting without a count is logged, once a minute', async () => {
  const { connect, said, clock } = firewall([list([byUser()], { failurePolicy: 'Open' })], outage);
  for (const nowMs of [0, 1_000, 59_999]) {
    clock.nowMs = nowMs;
    assert((await connect()).admitted);
  }
  assert.equal(said.length, 1);
  assert.match(String(said[0]), /count is unavailable.*Open/);
  clock.nowMs = 60_000;
  await connect();
  assert.equal(said.length, 2);
});

test('one closed list is enough for 503 when the count is unavailable', async () => {
  const lists = [list([byUser()], { failurePolicy: 'Open' }), list([byIp()], { id: 'default/closed' })];
  assert.equal(refusal(await firewall(lists, outage).connect()).ruleList, 'default/closed');
});

test('every refusal is in words, with the limit and without the value', async () => {
  for (const one of [byUser(0), byIp(0), byToken(1), byClaim('plan', 3)]) {
    const { connect } = firewall([list([one])]);
    const alice = client('alice', { plan: 'secret-plan' });
    for (let open = 0; open < one.maxCount; open++) assert((await connect(alice)).admitted);
    const admission = refusal(await connect(alice));
    assert.match(admission.message, new RegExp(`at most ${one.maxCount} connection`));
    assert.doesNotMatch(admission.message, /alice|secret-plan|192\.0\.2\.1/);
  }
});

test('each list has totals of what it counts, refuses and closes', async () => {
  const lists = [
    list([byUser(2)], { id: 'default/few', maxLifetimeMs: 5_000 }),
    list([byIp(9)], { id: 'default/many', maxLifetimeMs: 9_000 }),
    list([byClaim('plan')], { id: 'default/skipped' }),
    list([byUser(1)], { id: 'default/dry', mode: 'DryRun' }),
  ];
  const { under, connect, totals } = firewall(lists);
  const of = () =>
    lists.map(({ id }) => {
      const { connections, rejected, disconnected } = totals.of(id);
      return `${connections} ${rejected} ${disconnected}`;
    });
  const first = await connect();
  await connect();
  await connect();
  assert.deepEqual(of(), ['2 1 0', '2 0 0', '0 0 0', '2 0 0']);
  assert(first.admitted);
  first.expired();
  assert.deepEqual(of(), ['2 1 1', '2 0 0', '0 0 0', '2 0 0'], 'by the list whose lifetime is the shortest');
  under.apply(lists);
  first.release();
  first.release();
  assert.deepEqual(of(), ['1 1 1', '1 0 0', '0 0 0', '1 0 0'], 'a reload changes nothing');
});

test('a lifetime that ends is noticed where nothing is counted, too', () => {
  const { under, totals } = firewall([list([], { maxLifetimeMs: 5_000 })]);
  const admission = under.admit(['default/per-user'], 'connection', client());
  assert(!(admission instanceof Promise) && admission.admitted);
  admission.expired();
  admission.release();
  assert.deepEqual({ ...totals.of('default/per-user') }, { connections: 0, rejected: 0, disconnected: 1 });
});

test('series of rules that are gone are forgotten', async () => {
  const { under, connect, decisions } = firewall([list([byUser(9), byIp(9)])]);
  await connect();
  under.apply([list([byIp(9)])]);
  assert.deepEqual(decisions(), ['ThrottleByClientIpRule admitted 1']);
});

test('the claims that rules read are known, each once', () => {
  const trafficRules = [
    {
      type: 'TrafficThrottleByJwtCustomClaimRule',
      name: 't',
      claimName: 'c',
      maxInboundMessageBytes: 1,
      windowMs: 1,
    },
  ] as const;
  const lists = [list([byClaim('b'), byUser(), byClaim('a')], { trafficRules }), list([byClaim('a')])];
  assert.deepEqual(claimsOf(lists), ['a', 'b', 'c']);
});

test('the counter is told what a list wants when the count cannot be known', async () => {
  const counter = new InProcess();
  const lists = (['Closed', 'Local', 'Open'] as const).map((failurePolicy) =>
    list([byUser()], { id: `default/${failurePolicy}`, failurePolicy }),
  );
  await firewall(lists, counter).connect();
  assert.deepEqual(
    counter.asked[0]!.map(({ fallback }) => fallback),
    [undefined, 'Local', 'Open'],
  );
});

test('what the counter admits without counting is said, held, and given back like any other', async () => {
  const released: number[] = [];
  let uncounted: 'Local' | 'Open' = 'Open';
  const counter: Counter = {
    acquire: async () => ({ outcome: 'admitted', exceeded: [], uncounted }),
    release: (connection) => released.push(connection),
  };
  const { connect, decisions, said, metrics } = firewall(
    [list([byUser()], { failurePolicy: 'Open' })],
    counter,
  );
  const unenforced = () =>
    metrics.report().find(({ name }) => name === 'sluice_firewall_unenforced_total')!.series[0]!.value;
  const admission = await connect();
  assert(admission.admitted);
  assert.deepEqual([unenforced(), said.length], [1, 1]);
  uncounted = 'Local';
  assert((await connect()).admitted);
  assert.deepEqual([unenforced(), said.length], [1, 1]);
  assert.deepEqual(decisions(), ['ThrottleByUserIdRule unavailable 2']);
  admission.release();
  assert.deepEqual(released, [1]);
});

test('a connection whose slots are lost is closed, also when that is known only later how', async () => {
  const counter = new InProcess();
  const { connect } = firewall([list([byUser(2)])], counter);
  const [first, second] = [await connect(), await connect()];
  assert(first.admitted && second.admitted);
  const closed: string[] = [];
  first.onRevoked(() => closed.push('exchange'));
  first.onRevoked(() => closed.push('splice'));
  counter.onRevoked[0]!();
  counter.onRevoked[1]!();
  second.onRevoked(() => closed.push('late'));
  assert.deepEqual(closed, ['splice', 'late']);
});
