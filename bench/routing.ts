/** Time to find the route of a request, by number of routes. Run: node bench/routing.ts */
import type { RouteEntry } from '../proxy/config/snapshot.ts';
import { buildRoutingTable, MISDIRECTED, matchRoute } from '../proxy/routing/table.ts';
import { request } from '../test/support/requests.ts';
import { listener, port, route, rule, snapshot } from '../test/support/snapshots.ts';

const ROUNDS = 1_000_000;

function measure(name: string, routes: readonly RouteEntry[], targets: readonly string[]): void {
  const table = buildRoutingTable(
    snapshot({
      rules: [rule('only')],
      ports: [port(80, [listener('web', { hosts: [{ hostname: '*', routes }] })])],
    }),
  );
  const requests = targets.map((target) => request(target));
  const run = () => {
    let found = 0;
    for (let i = 0; i < ROUNDS; i++) {
      const one = requests[i % requests.length]!;
      const web = table.listenerFor(80, one.host);
      if (web !== null && web !== MISDIRECTED && matchRoute(web, one) !== null) found++;
    }
    return found;
  };
  run();
  const start = performance.now();
  const found = run();
  const ns = ((performance.now() - start) * 1e6) / ROUNDS;
  console.log(
    `${name.padEnd(44)} ${ns.toFixed(0).padStart(6)} ns  (${Math.round((found / ROUNDS) * 100)} % found)`,
  );
}

const numbers = Array.from({ length: 1000 }, (_, index) => index);
const picked = [0, 1, 499, 500, 998, 999];

measure('1 prefix /', [route('/', 0)], ['/', '/a/b/c', '/hub?id=1']);
measure(
  '1,000 exact',
  numbers.map((n) => route(`Exact:/service-${n}/health`, 0)),
  picked.map((n) => `/service-${n}/health`),
);
measure(
  '1,000 prefixes',
  numbers.map((n) => route(`/service-${n}/api`, 0)),
  picked.map((n) => `/service-${n}/api/users/42`),
);
measure(
  '1,000 prefixes, none matches',
  numbers.map((n) => route(`/service-${n}/api`, 0)),
  ['/other/api/users/42'],
);
measure(
  '10 patterns before 990 prefixes, prefix found',
  numbers.map((n) =>
    n < 10 ? route(`RegularExpression:/v[0-9]+/item-${n}/.*`, 0) : route(`/service-${n}`, 0),
  ),
  ['/service-500/api/users/42'],
);
