/** Every error text that a reader may search for is explained, and nothing is explained that does not exist. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileCodes } from '../../operator/compile/index.ts';
import { diagnosticCodes } from '../../operator/resources/index.ts';
import { NOTHING_OBSERVED, type ObservedGateway } from '../../operator/status/index.ts';
import { programmed } from '../../operator/status/programmed.ts';
import { FAILURE_KINDS, failed } from '../../proxy/authentication/failure.ts';
import type { Snapshot } from '../../proxy/config/snapshot.ts';
import { answerFor, REASONS } from '../../proxy/http/answers.ts';
import { listenErrorInWords } from '../../proxy/listeners/words.ts';
import type { ProxyReport } from '../../proxy/pod/report.ts';
import { addressesOf } from '../../proxy/pod/slices.ts';
import { endpointSlice } from '../../proxy/pod/testing/slices.ts';
import { describeFailure, ERROR_CODES } from '../../proxy/pools/failures.ts';
import { localServices } from '../../proxy/pools/local-services.ts';
import { describeDnsError } from '../../proxy/pools/resolver.ts';
import { matches, readPage } from './markdown.ts';

const page = readPage('docs/troubleshooting.md');

/** The cells of the table under a heading, without the head. */
function tableOf(heading: string): string[][] {
  const section = page.text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0];
  assert.ok(section !== undefined, `no section ${heading}`);
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((row) => row.slice(2, -2).split(' | '));
}

const bare = (cell: string): string => cell.replaceAll('`', '');

test('every answer of the gateway, with its status', () => {
  const rows = tableOf('Answers of the gateway');
  const explained = rows.map(([code, status]) => `${bare(code!)} ${status}`);
  assert.deepEqual(explained.sort(), REASONS.map((reason) => `${reason} ${answerFor(reason).status}`).sort());
});

test('every reason to refuse a token, word for word', () => {
  const explained = tableOf('Tokens').map(([message, result]) => `${bare(message!)} ${bare(result!)}`);
  const given = FAILURE_KINDS.map((kind) => `${failed(kind).failure.description} ${kind}`);
  assert.deepEqual(explained, given);
});

test('every code of a problem in the configuration', () => {
  const explained = tableOf('Problems in the configuration').map(([code]) => bare(code!));
  assert.deepEqual(explained.sort(), [...Object.keys(diagnosticCodes), ...Object.keys(compileCodes)].sort());
});

/** Words that an endpoint's failure is told in: with as much known of the certificate as can be, and with nothing. */
function failureWords(): string[] {
  const certificate = {
    subject: { CN: 'backend' },
    issuer: { CN: 'a CA' },
    subjectaltname: 'DNS:a.example',
    valid_from: 'Jan  2 00:00:00 2026 GMT',
    valid_to: 'Jan  2 00:00:00 2027 GMT',
  } as never;
  const errors = [...ERROR_CODES, 'ERR_SSL_SOMETHING_ELSE', 'HPE_INVALID_CONSTANT'].map((code) =>
    Object.assign(new Error('an error'), { code }),
  );
  return errors.flatMap((error) => [
    describeFailure(error, { certificate, names: ['b.example'] }).words,
    describeFailure(error).words,
  ]);
}

/** Those of probes and ejections, as `probe.ts` and `endpoint-keeper.ts` write them. */
const OTHER_WORDS = [
  'timed out after 2 s waiting for a connection',
  'timed out after 2 s waiting for the TLS handshake',
  'timed out after 2 s waiting for the response',
  'timed out after 2 s waiting for the body',
  'status 404 where 200-399 was expected',
  'the body lacks "ok"',
  'the first 64 KiB of the body lack "ok"',
  '5 requests in a row failed, the last to connect; ejected for 30 s',
  'it is not ready',
];

const DNS_CODES = [
  'ENOTFOUND',
  undefined,
  'ENODATA',
  'ETIMEOUT',
  'ECONNREFUSED',
  'ESERVFAIL',
  'EREFUSED',
  'EBADNAME',
];

function nameWords(): string[] {
  const words = [...DNS_CODES, 'EOTHER'].flatMap((code) =>
    (['Any', 'IPv6'] as const).map((family) => describeDnsError({ code }, 'a.example', family, 2000)),
  );
  const target = { kind: 'service', namespace: 'a', name: 'b', port: 80, portName: '', weight: 1 } as const;
  const service = localServices(new Map())(target, () => {});
  return [...words, service.state.problem!];
}

/** Those of `slices.ts`, and as `endpoint-slices.ts` and `snapshot-follower.ts` write them. */
function serviceWords(): string[] {
  const slices = [{}, { '10.0.0.1': { ready: false } }].map((endpoints) => [endpointSlice('b', endpoints)]);
  const words = [[], ...slices].map((listed) => addressesOf('a/b', listed, '').problem!);
  const unknown = 'EndpointSlices in namespace a are not known yet: why';
  return [
    ...words,
    addressesOf('a/b', slices[1]!, 'web').problem!,
    unknown,
    `${unknown}; until then its name serves`,
    `${unknown}; until then its name serves: b.a.svc does not exist (NXDOMAIN)`,
    'EndpointSlices in namespace a may have changed since: why',
  ];
}

/** Those that are copied are as object-sink.ts, stored-snapshot.ts, observation.ts and report-follower.ts write them. */
const POD_WORDS = [
  ...programmedWords(),
  'Deployment a/b: found an object of this name that the operator did not make, expected none; rename or remove it',
  'snapshot 0a: found 2 bytes when compressed, expected at most 1 (16 Secrets of 0)',
  'pod a: Unschedulable: 0/1 nodes are available',
  'pod a: ImagePullBackOff: why',
  'pod a: no report from the pod: why',
  'pod a: the pod ended its report',
];

/** Each lack of a pod by itself. */
function programmedWords(): string[] {
  const snapshot = { hash: '0a', ports: [{}] } as unknown as Snapshot;
  const good: ProxyReport = {
    format: 1,
    gateway: { namespace: 'a', name: 'b' },
    pod: 'a',
    snapshot: '0a',
    ready: true,
    draining: false,
    problem: null,
    listenFailures: [],
    pools: [],
    ruleLists: [],
  };
  const wordsOf = (observed: Partial<ObservedGateway>): string =>
    programmed(snapshot, { ...NOTHING_OBSERVED, stored: '0a', replicas: 1, ...observed }).message;
  const wordsOfPod = (report: Partial<ProxyReport> | null, ready = true): string =>
    wordsOf({
      pods: [{ name: 'a', ready, report: report === null ? null : { ...good, ...report }, problem: null }],
    });
  return [
    wordsOf({ stored: null }),
    wordsOf({ replicas: 0 }),
    wordsOf({ pods: [], replicas: 2 }),
    wordsOfPod(null),
    ...[null, '0b'].flatMap((hash) => [
      wordsOfPod({ snapshot: hash }),
      wordsOfPod({ snapshot: hash, problem: 'why' }),
    ]),
    wordsOfPod({ listenFailures: [{ port: 80, listeners: ['web'], message: 'why' }] }),
    wordsOfPod({ draining: true }),
    wordsOfPod({}, false),
    wordsOfPod({}),
  ];
}

const SNAPSHOT_WORDS = [
  'Secret a/b has not been read yet',
  'there is no Secret a/b yet',
  'Secret a/b is gone; the last snapshot stays in force',
  'why; and there is no snapshot in /var/run/sluice/snapshot',
  'why; the last snapshot stays in force',
  'stored snapshot: why',
  'Secret a/b: found the snapshot of gateway a/c, expected a/b',
  'not every worker serves snapshot 0123456789ab after 30 s',
];

function startWords(): string[] {
  const codes = ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL', 'ENOTSUP', 'EOTHER'];
  return codes.map((code) => listenErrorInWords(Object.assign(new Error('words'), { code }), 80, '::'));
}

const tables: readonly (readonly [heading: string, given: readonly string[], complete: boolean])[] = [
  ['Why a backend is down', [...failureWords(), ...OTHER_WORDS], true],
  ['Names', nameWords(), true],
  ['Services', serviceWords(), true],
  ['Pods of a gateway', POD_WORDS, true],
  ['Snapshots of a pod', SNAPSHOT_WORDS, true],
  ['At the start', startWords(), false],
];
for (const [heading, given, complete] of tables) {
  test(`every text of "${heading}"`, () => {
    const explained = tableOf(heading).map(([words]) => bare(words!));
    const unexplained = given.filter((words) => !explained.some((pattern) => isWhole(pattern, words)));
    assert.deepEqual(unexplained, []);
    if (!complete) return;
    const stale = explained.filter((pattern) => !given.some((words) => isWhole(pattern, words)));
    assert.deepEqual(stale, []);
  });
}

/** The pattern stands for the whole text, not for a part of it. */
function isWhole(pattern: string, words: string): boolean {
  const pieces = pattern.split('…').map((piece) => piece.trim());
  return matches(pattern, words) && words.startsWith(pieces[0]!) && words.endsWith(pieces.at(-1)!);
}
