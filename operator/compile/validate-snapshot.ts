import assert from 'node:assert/strict';
import { snapshotHash } from '../../proxy/config/encoding.ts';
import {
  type Listener,
  type Port,
  type Rule,
  SNAPSHOT_FORMAT,
  type Snapshot,
  type VirtualHost,
} from '../../proxy/config/snapshot.ts';
import { bySpecificity, compare, covers } from './hostnames.ts';

/**
 * Checks what the definition of the snapshot promises to the proxy. A failure is a bug of the compiler,
 * never a mistake of the user, so it throws.
 */
export function validateSnapshot(snapshot: Snapshot): void {
  const { hash, ...content } = snapshot;
  assert.equal(hash, snapshotHash(content), 'the hash is not that of the content');
  validateContent(snapshot);
}

/** The same without the hash, for who has just computed it. */
export function validateContent(snapshot: Snapshot): void {
  assert.equal(snapshot.format, SNAPSHOT_FORMAT);
  for (const list of [snapshot.pools, snapshot.certificates, snapshot.authentications, snapshot.ruleLists]) {
    assertSortedIds(list);
  }
  assertPorts(snapshot);
  for (const port of snapshot.ports) {
    for (const listener of port.listeners) assertListener(snapshot, port, listener);
  }
  const ids = referenceSets(snapshot);
  for (const rule of snapshot.rules) assertRule(rule, ids);
  assertNothingUnused(snapshot);
}

interface References {
  readonly pools: ReadonlySet<string>;
  readonly authentications: ReadonlySet<string>;
  readonly ruleLists: ReadonlySet<string>;
}

function referenceSets(snapshot: Snapshot): References {
  return {
    pools: new Set(snapshot.pools.map(({ id }) => id)),
    authentications: new Set(snapshot.authentications.map(({ id }) => id)),
    ruleLists: new Set(snapshot.ruleLists.map(({ id }) => id)),
  };
}

function assertSortedIds(list: readonly { readonly id: string }[]): void {
  for (const [index, { id }] of list.entries()) {
    const before = list[index - 1];
    assert(before === undefined || compare(before.id, id) < 0, `ids are not sorted and unique at ${id}`);
  }
}

function assertPorts({ ports }: Snapshot): void {
  const seen = new Set<string>();
  const names = new Set<string>();
  for (const [index, { port, transport, listeners }] of ports.entries()) {
    const before = ports[index - 1];
    assert(
      before === undefined || before.port < port || (before.port === port && before.transport < transport),
      `ports are not sorted at ${port}`,
    );
    // A port of TCP is either with or without TLS; UDP has ports of its own.
    const socket = `${transport === 'UDP' ? 'udp' : 'tcp'} ${port}`;
    assert(!seen.has(socket), `port ${port} is there twice`);
    seen.add(socket);
    assert(listeners.length > 0, `port ${port} has no listener`);
    const hostnames = listeners.flatMap((listener) =>
      listener.hostnames.length ? listener.hostnames : ['*'],
    );
    assert.equal(new Set(hostnames).size, hostnames.length, `a host of port ${port} has two listeners`);
    for (const { name } of listeners) {
      assert(!names.has(name), `listener ${name} is there twice`);
      names.add(name);
    }
  }
}

function assertListener(snapshot: Snapshot, port: Port, listener: Listener): void {
  const { name, protocol, tls, hosts } = listener;
  const isTls = protocol === 'HTTPS' || protocol === 'TLS';
  assert.equal(port.transport, protocol === 'UDP' ? 'UDP' : isTls ? 'TLS' : 'Cleartext', `listener ${name}`);
  assert.equal(tls !== null, isTls, `listener ${name}: TLS settings`);
  if (tls !== null) {
    assert.equal(tls.certificates.length > 0, tls.mode === 'Terminate', `listener ${name}: certificates`);
    const known = new Set(snapshot.certificates.map(({ id }) => id));
    for (const id of tls.certificates) assert(known.has(id), `listener ${name}: no certificate ${id}`);
  }
  if (listener.authentication !== null) {
    const known = snapshot.authentications.some(({ id }) => id === listener.authentication);
    assert(known, `listener ${name}: no authentication ${listener.authentication}`);
  }
  for (const hostname of listener.hostnames) assert.equal(hostname, hostname.toLowerCase());
  for (const [index, host] of hosts.entries()) {
    const before = hosts[index - 1];
    assert(
      before === undefined || bySpecificity(before.hostname, host.hostname) < 0,
      `listener ${name}: hosts are not sorted and unique at ${host.hostname}`,
    );
    assert(
      listener.hostnames.length === 0 || listener.hostnames.some((served) => covers(served, host.hostname)),
      `listener ${name}: host ${host.hostname} is not one of its own`,
    );
    assertHost(snapshot, host);
  }
}

function assertHost({ rules }: Snapshot, { hostname, routes }: VirtualHost): void {
  assert.equal(hostname, hostname.toLowerCase());
  assert(routes.length > 0, `host ${hostname} has no route`);
  for (const { match, rule } of routes) {
    assert(rules[rule] !== undefined, `host ${hostname}: no rule ${rule}`);
    for (const { name } of match.headers) assert.equal(name, name.toLowerCase());
    assert(
      match.path.type === 'RegularExpression' || match.path.value.startsWith('/'),
      `path ${match.path.value}`,
    );
  }
}

function assertRule(rule: Rule, { pools, authentications, ruleLists }: References): void {
  const { id, backends, filters, authentication } = rule;
  assert(authentication === null || authentications.has(authentication), `rule ${id}: ${authentication}`);
  assert.equal(new Set(rule.ruleLists).size, rule.ruleLists.length, `rule ${id}: a rule list twice`);
  for (const list of rule.ruleLists) assert(ruleLists.has(list), `rule ${id}: no rule list ${list}`);
  for (const { pool } of [...backends, ...filters.mirrors]) {
    assert(pool === null || pools.has(pool), `rule ${id}: no pool ${pool}`);
  }
  assert(filters.redirect === null || backends.length === 0, `rule ${id}: redirect and backends`);
  assert(filters.redirect === null || filters.rewrite === null, `rule ${id}: redirect and rewrite`);
}

/** The proxy resolves names and probes targets for every pool that it is given, so none may come for nothing. */
function assertNothingUnused({ rules, pools, ruleLists }: Snapshot): void {
  const usedPools = new Set(
    rules.flatMap(({ backends, filters }) => [...backends, ...filters.mirrors]).map(({ pool }) => pool),
  );
  for (const { id } of pools) assert(usedPools.has(id), `pool ${id} is not used`);
  const usedLists = new Set(rules.flatMap((rule) => rule.ruleLists));
  for (const { id } of ruleLists) assert(usedLists.has(id), `rule list ${id} is not used`);
}
