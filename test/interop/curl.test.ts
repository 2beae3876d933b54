import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { demoTls } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { run } from '../support/processes.ts';
import { findTool, skipWithout } from '../support/tools.ts';
import { type Front, ways } from '../support/ways.ts';

const curl = findTool('curl');
const skip = skipWithout('curl', curl, 'Install it with the package manager of your system.');

const FILE = randomBytes(1_000_000);
const LARGE_BYTES = 200_000_000;
const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** What the server tells about a request, as JSON. */
interface Seen {
  readonly method: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly headers: Readonly<Record<string, string>>;
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? '';
  if (path === '/file') {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const body = range === null ? FILE : FILE.subarray(Number(range[1]), Number(range[2]) + 1);
    response.writeHead(range === null ? 200 : 206, {
      'Content-Length': body.length,
      'Accept-Ranges': 'bytes',
      ...(range !== null && { 'Content-Range': `bytes ${range[1]}-${range[2]}/${FILE.length}` }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  } else if (path === '/large') {
    response.writeHead(200, { 'Content-Length': LARGE_BYTES });
    const chunk = Buffer.alloc(1_000_000, 'sluice');
    let left = LARGE_BYTES;
    const write = (): void => {
      while (left > 0) {
        left -= chunk.length;
        if (!response.write(chunk)) {
          response.once('drain', write);
          return;
        }
      }
      response.end();
    };
    write();
  } else if (path === '/chunks') {
    for (let i = 0; i < 100; i++) response.write(`chunk ${i}\n`);
    response.end();
  } else if (path === '/nothing') {
    response.writeHead(204).end();
  } else {
    const hash = createHash('sha256');
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    request.on('end', () => {
      const { method, headers } = request;
      const body = JSON.stringify({ method, bytes, sha256: hash.digest('hex'), headers });
      response.writeHead(200, { 'Content-Length': Buffer.byteLength(body) }).end(body);
    });
  }
}

for (const way of ways) {
  for (const scheme of way.balances ? ['http', 'https'] : ['http']) {
    describe(`curl over ${scheme}, ${way.name}`, { skip }, () => {
      let server: Server;
      let front: Front | undefined;
      let folder: string;
      let uploads = 0;

      before(async () => {
        server = createServer(serve);
        server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
          if (request.url === '/too-much') {
            response.writeHead(413, { Connection: 'close' }).end();
            return;
          }
          uploads++;
          response.writeContinue();
          serve(request, response);
        });
        folder = await mkdtemp(join(tmpdir(), 'sluice-curl-'));
        await writeFile(join(folder, 'ca.pem'), demoTls.ca);
        await writeFile(join(folder, 'upload'), FILE);
        front = await way.open([await listening(server)], { tls: true });
      });
      after(async () => {
        await front?.[Symbol.asyncDispose]();
        await closed(server);
        await rm(folder, { recursive: true, force: true });
      });

      /** Runs curl; resolves with what `--write-out` says and the body, as a file's content. */
      const ask = async (path: string, ...args: string[]): Promise<{ info: string; body: Buffer }> => {
        const url =
          scheme === 'https' ? `https://localhost:${front!.tlsPort}${path}` : `${front!.url}${path}`;
        const out = join(folder, 'out');
        await writeFile(out, '');
        const common = ['--silent', '--show-error', '--max-time', '60', '--cacert', join(folder, 'ca.pem')];
        const info = ['--write-out', '%{http_code} %{http_version} %{size_download}'];
        const { code, output } = await run(curl!, [...common, ...info, '--output', out, ...args, url]);
        assert.equal(code, 0, `curl ${args.join(' ')} ${path}: ${output}`);
        return { info: output, body: await readFile(out) };
      };
      const seen = ({ body }: { body: Buffer }): Seen => JSON.parse(body.toString()) as Seen;
      const upload = (): string => `@${join(folder, 'upload')}`;

      test('a download', async () => {
        const { info, body } = await ask('/file');
        assert.equal(info, `200 1.1 ${FILE.length}`);
        assert.equal(sha256(body), sha256(FILE));
      });

      test('a download of 200 MB', async () => {
        const { info } = await ask('/large', '--output', '/dev/null');
        assert.equal(info, `200 1.1 ${LARGE_BYTES}`);
      });

      test('a range', async () => {
        const { info, body } = await ask('/file', '--range', '1000-1999');
        assert.equal(info, '206 1.1 1000');
        assert.ok(body.equals(FILE.subarray(1000, 2000)));
      });

      test('HEAD', async () => {
        const { info, body } = await ask('/file', '--head');
        assert.match(info, /^200 1.1 /);
        assert.match(body.toString(), new RegExp(`content-length: ${FILE.length}`, 'i'));
      });

      test('a response in chunks', async () => {
        const { info, body } = await ask('/chunks');
        assert.match(info, /^200 1.1 /);
        assert.equal(body.toString(), Array.from({ length: 100 }, (_, i) => `chunk ${i}\n`).join(''));
      });

      test('a response in chunks to HTTP/1.0', async () => {
        const { info, body } = await ask('/chunks', '--http1.0');
        assert.match(info, /^200 1\.[01] /);
        assert.equal(body.toString().split('\n').length, 101);
      });

      test('HTTP/1.0', async () => {
        const { info, body } = await ask('/file', '--http1.0');
        assert.match(info, /^200 1\.[01] /);
        assert.equal(sha256(body), sha256(FILE));
      });

      test('a response without a body', async () => {
        assert.equal((await ask('/nothing')).info, '204 1.1 0');
      });

      test('an upload with a length', async () => {
        const { method, bytes, sha256: hash } = seen(await ask('/', '--data-binary', upload()));
        assert.deepEqual([method, bytes, hash], ['POST', FILE.length, sha256(FILE)]);
      });

      test('an upload in chunks', async () => {
        const args = ['--header', 'Transfer-Encoding: chunked', '--data-binary', upload()];
        const { bytes, sha256: hash, headers } = seen(await ask('/', ...args));
        assert.deepEqual([bytes, hash], [FILE.length, sha256(FILE)]);
        assert.equal(headers['transfer-encoding'], 'chunked');
      });

      test('an upload that waits for 100 (Continue)', async () => {
        const before = uploads;
        const args = ['--header', 'Expect: 100-continue', '--expect100-timeout', '30'];
        const started = performance.now();
        const answer = await ask('/', ...args, '--upload-file', join(folder, 'upload'));
        const { method, bytes, sha256: hash } = seen(answer);
        assert.deepEqual([method, bytes, hash], ['PUT', FILE.length, sha256(FILE)]);
        assert.equal(uploads, before + 1);
        // curl would have sent the body anyway, but only after its thirty seconds.
        assert.ok(performance.now() - started < 30_000);
      });

      test('an upload that is not wanted', async () => {
        const args = ['--header', 'Expect: 100-continue', '--expect100-timeout', '30'];
        const { info } = await ask('/too-much', ...args, '--upload-file', join(folder, 'upload'));
        assert.match(info, /^413 1.1 /);
      });

      test('a form with a file', async () => {
        const { headers, bytes } = seen(await ask('/', '--form', `file=${upload()}`, '--form', 'name=grüße'));
        assert.match(headers['content-type'] ?? '', /^multipart\/form-data; boundary=/);
        assert.ok(bytes > FILE.length);
      });

      test('several requests on one connection', async () => {
        const base = scheme === 'https' ? `https://localhost:${front!.tlsPort}` : front!.url;
        const args = ['--silent', '--show-error', '--cacert', join(folder, 'ca.pem')];
        const { code, output } = await run(curl!, [
          ...args,
          ...['--output', '/dev/null', '--write-out', '%{num_connects} ', `${base}/file`],
          ...['--output', '/dev/null', `${base}/chunks`],
          ...['--output', '/dev/null', `${base}/nothing`],
        ]);
        assert.deepEqual([code, output], [0, '1 0 0 ']);
      });
    });
  }
}
