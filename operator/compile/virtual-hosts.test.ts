import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RouteMatch } from '../../proxy/config/snapshot.ts';
import { covers, intersectHostnames } from './hostnames.ts';
import type { RouteModel } from './route-model.ts';
import { buildVirtualHosts, type VirtualHosts } from './virtual-hosts.ts';

interface Request {
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: readonly string[];
}

const hostnames = ['a.example.com', 'b.example.com', 'x.sub.example.com', 'example.com', 'a.example.org'];
const wildcards = ['*.example.com', '?.example.com', '*.sub.example.com', '?.sub.example.com', '*.com'];
const paths = ['/', '/a', '/a/b', '/a/b/c', '/b'];

const anyHostnames = fc.uniqueArray(fc.constantFrom(...hostnames, ...wildcards), { maxLength: 3 });
const anyMatch: fc.Arbitrary<RouteMatch> = fc
  .record({
    type: fc.constantFrom('Exact' as const, 'PathPrefix' as const),
    value: fc.constantFrom(...paths),
    method: fc.constantFrom(null, 'GET'),
    headers: fc.uniqueArray(fc.constantFrom('x-a', 'x-b'), { maxLength: 2 }),
  })
  .map(({ type, value, method, headers }) => ({
    path: { type, value },
    method,
    headers: [...headers].sort().map((name) => ({ name, type: 'Exact' as const, value: '1' })),
    queryParams: [],
  }));
const anyModels = fc
  .array(
    fc.record({ hostnames: anyHostnames, matches: fc.array(anyMatch, { minLength: 1, maxLength: 3 }) }),
    {
      maxLength: 6,
    },
  )
  .map((routes) =>
    routes.map(({ hostnames, matches }, index) => model(`route-${index}`, hostnames, matches)),
  );
const anyRequest: fc.Arbitrary<Request> = fc.record({
  host: fc.constantFrom(...hostnames, 'c.example.com', 'y.sub.example.com', 'other.net'),
  path: fc.constantFrom(...paths, '/a/', '/ab', '/c'),
  method: fc.constantFrom('GET', 'POST'),
  headers: fc.uniqueArray(fc.constantFrom('x-a', 'x-b'), { maxLength: 2 }),
});

test('the route that serves a request is the one that the Gateway API says', () => {
  fc.assert(
    fc.property(anyHostnames, anyModels, anyRequest, (listener, models, request) => {
      // Requests for other hosts never get to the listener.
      fc.pre(listener.length === 0 || listener.some((name) => covers(name, request.host)));
      const virtual = buildVirtualHosts(
        listener,
        models.map((each, rule) => ({ model: each, rule })),
      );
      assert.equal(serve(virtual, request), serveByTheBook(models, request));
    }),
    { numRuns: 3000 },
  );
});

test('of two names that overlap, the narrower one is what they have in common', () => {
  const table = [
    ['a.example.com', 'a.example.com', 'a.example.com'],
    ['a.example.com', '*.example.com', 'a.example.com'],
    ['*.example.com', 'a.b.example.com', 'a.b.example.com'],
    ['*.example.com', '*.b.example.com', '*.b.example.com'],
    ['*.example.com', '*', '*.example.com'],
    ['example.com', '*.example.com', null],
    ['*.example.com', '*.example.org', null],
    ['badexample.com', '*.example.com', null],
    ['a.example.com', '?.example.com', 'a.example.com'],
    ['?.example.com', '*.example.com', '?.example.com'],
    ['?.b.example.com', '*.example.com', '?.b.example.com'],
    ['?.example.com', '*', '?.example.com'],
    ['a.b.example.com', '?.example.com', null],
    ['example.com', '?.example.com', null],
    ['*.b.example.com', '?.example.com', null],
    ['?.b.example.com', '?.example.com', null],
  ] as const;
  for (const [left, right, common] of table) {
    assert.equal(intersectHostnames(left, right), common, `${left} and ${right}`);
    assert.equal(intersectHostnames(right, left), common, `${right} and ${left}`);
  }
});

test('a match is told of when an equal one for the same name hides it', () => {
  const match: RouteMatch = {
    path: { type: 'Exact', value: '/a' },
    method: null,
    headers: [],
    queryParams: [],
  };
  const first = model('first', ['a.example.com'], [match]);
  const wider = model('wider', ['*.example.com'], [match]);
  const again = model('again', ['a.example.com'], [{ ...match }]);
  const attached = [wider, first, again].map((each, rule) => ({ model: each, rule }));
  const { hosts, shadowed } = buildVirtualHosts(['a.example.com'], attached);
  assert.deepEqual(hosts, [{ hostname: 'a.example.com', routes: [{ match, rule: 1 }] }]);
  assert.deepEqual(
    shadowed.map(({ model: { id }, by }) => `${id} by ${by.id}`),
    ['again by first'],
  );
});

function model(id: string, names: readonly string[], matches: readonly RouteMatch[]): RouteModel {
  // The compiler of virtual hosts only hands the action on.
  return {
    id,
    hostnames: names,
    listeners: [],
    matches,
    sections: [],
    ingress: null,
    ruleLists: [],
    action: null as never,
  };
}

/** As the snapshot is defined: the hosts in their order, in each the first match. */
function serve({ hosts }: VirtualHosts, request: Request): number | null {
  for (const { hostname, routes } of hosts) {
    if (!covers(hostname, request.host)) continue;
    const entry = routes.find(({ match }) => accepts(match, request));
    if (entry !== undefined) return entry.rule;
  }
  return null;
}

/** As HTTPRoute v1 words it, without any table: all that match, the best by each criterion in turn. */
function serveByTheBook(models: readonly RouteModel[], request: Request): number | null {
  const candidates = models.flatMap((each, rule) => {
    const names = each.hostnames.length === 0 ? ['*'] : each.hostnames;
    const matching = names.filter((name) => covers(name, request.host));
    const exact = Math.max(0, ...matching.filter((name) => !/^[*?]/.test(name)).map(({ length }) => length));
    const any = Math.max(0, ...matching.filter((name) => name !== '*').map(({ length }) => length));
    if (matching.length === 0) return [];
    return each.matches
      .filter((match) => accepts(match, request))
      .map((match) => ({
        rule,
        criteria: [
          exact,
          any,
          exact === 0 && matching.some((name) => name.startsWith('?') && name.length === any) ? 1 : 0,
          match.path.type === 'Exact' ? 1 : 0,
          match.path.type === 'PathPrefix' ? match.path.value.length : 0,
          match.method === null ? 0 : 1,
          match.headers.length,
        ],
      }));
  });
  let best = candidates[0];
  for (const candidate of candidates) {
    const different = candidate.criteria.findIndex((value, index) => value !== best?.criteria[index]);
    if (different === -1 || best === undefined) continue;
    if ((candidate.criteria[different] ?? 0) > (best.criteria[different] ?? 0)) best = candidate;
  }
  return best?.rule ?? null;
}

function accepts({ path, method, headers }: RouteMatch, request: Request): boolean {
  if (method !== null && method !== request.method) return false;
  if (!headers.every(({ name }) => request.headers.includes(name))) return false;
  if (path.type === 'Exact') return request.path === path.value;
  const elements = (text: string) => text.split('/').filter((element) => element !== '');
  const wanted = elements(path.value);
  return wanted.every((element, index) => elements(request.path)[index] === element);
}
