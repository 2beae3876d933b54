/**
 * The Autobahn test suite for WebSocket servers, against an echo server of `ws`: directly, and through the gateway.
 * No case may come out worse through the gateway.
 *
 * Cases 12.* and 13.* (compression of many and large messages) take minutes and run when `SLUICE_TEST_FULL` is `true`.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { closed, listening } from '../support/listening.ts';
import { run } from '../support/processes.ts';
import { findTool, skipWithout } from '../support/tools.ts';
import { ways } from '../support/ways.ts';

const projectFile = (relative: string): string =>
  fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const REPORTS = projectFile('test/.artifacts/autobahn');
const FULL = process.env.SLUICE_TEST_FULL === 'true';

/** How a case came out, best first. */
const BEHAVIORS = ['OK', 'INFORMATIONAL', 'UNIMPLEMENTED', 'NON-STRICT', 'WRONG CODE', 'UNCLEAN', 'FAILED'];

type Report = Readonly<Record<string, { readonly behavior: string; readonly behaviorClose: string }>>;

const wstest = await install();

test('Autobahn: no case is worse through the gateway', {
  skip: skipWithout(
    'The Autobahn test suite',
    wstest,
    'scripts/install-autobahn.sh installs it; it needs a Python 2.7.',
  ),
}, async () => {
  const server = createServer();
  const webSockets = new WebSocketServer({
    server,
    maxPayload: 32 << 20,
    // Some cases cut 4 MB into very small fragments.
    maxFragments: 1 << 20,
    maxBufferedChunks: 1 << 20,
    perMessageDeflate: true,
    skipUTF8Validation: false,
  });
  webSockets.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('error', () => {});
  });
  const port = await listening(server);
  try {
    const reports: Report[] = [];
    for (const way of ways) {
      await using front = await way.open([port]);
      reports.push(await fuzz(way.name, front.wsUrl));
    }
    const [direct, through] = reports;
    assert.ok(direct !== undefined && Object.keys(direct).length >= (FULL ? 500 : 240));
    const failed = Object.entries(direct).filter(([, result]) => rank(result.behavior) > rank('NON-STRICT'));
    assert.deepEqual(failed, [], 'without a gateway');
    if (through === undefined) return;
    assert.deepEqual(Object.keys(through).sort(), Object.keys(direct).sort());
    const worse = Object.entries(through).filter(
      ([id, { behavior, behaviorClose }]) =>
        rank(behavior) > rank(direct[id]!.behavior) || rank(behaviorClose) > rank(direct[id]!.behaviorClose),
    );
    assert.deepEqual(
      worse.map(([id, result]) => ({ case: id, direct: direct[id], through: result })),
      [],
    );
  } finally {
    for (const socket of webSockets.clients) socket.terminate();
    await closed(server);
  }
});

async function fuzz(name: string, url: string): Promise<Report> {
  const folder = join(REPORTS, name.replaceAll(' ', '-'));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const specification = {
    outdir: folder,
    servers: [{ agent: 'server', url }],
    cases: ['*'],
    'exclude-cases': FULL ? [] : ['12.*', '13.*'],
    'exclude-agent-cases': {},
  };
  await writeFile(join(folder, 'fuzzingclient.json'), JSON.stringify(specification));
  const { code, output } = await run(
    wstest!,
    ['-m', 'fuzzingclient', '-s', join(folder, 'fuzzingclient.json')],
    {
      cwd: folder,
    },
  );
  assert.equal(code, 0, output);
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as Record<string, Report>;
  return index.server!;
}

/** Higher is worse. */
function rank(behavior: string): number {
  const index = BEHAVIORS.indexOf(behavior);
  return index === -1 ? BEHAVIORS.length : index;
}

/** The path of `wstest`; installs it when there is a Python for it. */
async function install(): Promise<string | null> {
  const onPath = findTool('wstest');
  if (onPath !== null) return onPath;
  const { code, output } = await run('sh', [projectFile('scripts/install-autobahn.sh')]);
  const path = output.trim().split('\n').at(-1) ?? '';
  return code === 0 ? path : null;
}
