import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CredentialsError } from '../errors.ts';
import { eventually } from '../testing/eventually.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import type { Credentials } from './access.ts';
import { ExecPlugin, type ExecPluginOptions } from './exec-plugin.ts';
import { inClusterCredentials } from './in-cluster.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { kubeconfigCredentials } from './kubeconfig-credentials.ts';
import { loadCredentials } from './load.ts';

async function directory(t: TestContext, files: Record<string, string> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-credentials-'));
  t.after(() => rm(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

const says = (words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CredentialsError, String(error));
  assert.match(error.message, words);
  assert.doesNotMatch(error.message, /hunter2/, 'no secret is repeated');
  return true;
};

const POD_ENV = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
const POD_FILES = { token: 'token-1\n', 'ca.crt': 'ca-1', namespace: 'sluice' };

test('in a pod: token and CA are read again when the kubelet replaces them', async (t) => {
  const path = await directory(t, POD_FILES);
  const clock = new ManualClock();
  const credentials = await inClusterCredentials(POD_ENV, clock, path);
  assert.equal(credentials.namespace, 'sluice');
  const first = await credentials.access();
  assert.deepEqual(first, {
    server: 'https://10.0.0.1:443',
    tls: { ca: 'ca-1', rejectUnauthorized: true },
    headers: { authorization: 'Bearer token-1' },
    proxyUrl: null,
  });
  await writeFile(join(path, 'next'), 'token-2');
  await rename(join(path, 'next'), join(path, 'token'));
  assert.equal((await credentials.access()).headers.authorization, 'Bearer token-1');
  clock.advance(10_000);
  const second = await credentials.access();
  assert.equal(second.headers.authorization, 'Bearer token-2');
  assert.equal(second.tls, first.tls, 'connections stay');
  await writeFile(join(path, 'token'), 'token-3');
  await writeFile(join(path, 'ca.crt'), 'ca-2');
  credentials.invalidate();
  const third = await credentials.access();
  assert.equal(third.headers.authorization, 'Bearer token-3', 'at once when the server refused');
  assert.equal(third.tls.ca, 'ca-2');
});

test('in a pod: IPv6, and what may be missing', async (t) => {
  const clock = new ManualClock();
  const path = await directory(t, POD_FILES);
  const { access } = await inClusterCredentials(
    { ...POD_ENV, KUBERNETES_SERVICE_HOST: 'fd00::1' },
    clock,
    path,
  );
  assert.equal((await access()).server, 'https://[fd00::1]:443');
  await assert.rejects(
    inClusterCredentials({}, clock, path),
    says(/KUBERNETES_SERVICE_HOST .* this is no pod/),
  );
  await rm(join(path, 'token'));
  await assert.rejects(
    inClusterCredentials(POD_ENV, clock, path),
    says(
      /the service account's token \(is automountServiceAccountToken false\?\), .*token: there is no such file/,
    ),
  );
  await writeFile(join(path, 'token'), ' \n');
  await assert.rejects(inClusterCredentials(POD_ENV, clock, path), says(/token: the file is empty/));
});

function kubeconfig(user: string, cluster = 'server: https://api.example.com:6443'): string {
  return `
apiVersion: v1
kind: Config
current-context: main
contexts:
  - {name: main, context: {cluster: c, user: u, namespace: chat}}
  - {name: broken, context: {cluster: nowhere, user: u}}
clusters:
  - name: c
    cluster: {${cluster}}
users:
  - name: u
    user: ${user}
`;
}

async function load(t: TestContext, text: string, files: Record<string, string> = {}): Promise<Credentials> {
  const path = await directory(t, { ...files, config: text });
  return kubeconfigCredentials(await readKubeconfig([join(path, 'config')]), new ManualClock());
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('kubeconfig: certificates inline and in files next to it', async (t) => {
  const inline = await load(
    t,
    kubeconfig(
      `{client-certificate-data: ${base64('cert')}, client-key-data: ${base64('key')}}`,
      `server: https://api.example.com:6443/, certificate-authority-data: ${base64('ca')}, tls-server-name: kubernetes`,
    ),
  );
  assert.equal(inline.namespace, 'chat');
  assert.deepEqual(await inline.access(), {
    server: 'https://api.example.com:6443',
    tls: { ca: 'ca', cert: 'cert', key: 'key', servername: 'kubernetes', rejectUnauthorized: true },
    headers: {},
    proxyUrl: null,
  });
  const files = await load(
    t,
    kubeconfig(
      '{client-certificate: cert.pem, client-key: key.pem}',
      'server: https://h, certificate-authority: ca.pem, proxy-url: "http://proxy:3128"',
    ),
    { 'cert.pem': 'cert', 'key.pem': 'key', 'ca.pem': 'ca' },
  );
  const { tls, proxyUrl } = await files.access();
  assert.deepEqual(tls, { ca: 'ca', cert: 'cert', key: 'key', rejectUnauthorized: true });
  assert.equal(proxyUrl, 'http://proxy:3128');
});

test('kubeconfig: tokens, token files, passwords, impersonation, no verification', async (t) => {
  const headers = async (user: string, files: Record<string, string> = {}) =>
    (await (await load(t, kubeconfig(user), files)).access()).headers;
  assert.deepEqual(await headers('{token: abc}'), { authorization: 'Bearer abc' });
  assert.deepEqual(await headers('{token: abc, tokenFile: t}', { t: 'file\n' }), {
    authorization: 'Bearer file',
  });
  assert.deepEqual(await headers('{username: u, password: p}'), { authorization: `Basic ${base64('u:p')}` });
  assert.deepEqual(await headers('{token: abc, as: jane}'), {
    authorization: 'Bearer abc',
    'impersonate-user': 'jane',
  });
  const unverified = await load(t, kubeconfig('{}', 'server: https://h, insecure-skip-tls-verify: true'));
  assert.equal((await unverified.access()).tls.rejectUnauthorized, false);
});

test('kubeconfig: of several files the first that defines a name counts', async (t) => {
  const path = await directory(t, {
    a: 'contexts: [{name: main, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: from-a}}]\n',
    b: kubeconfig('{token: from-b}'),
  });
  const env = { KUBECONFIG: `${join(path, 'a')}:${join(path, 'b')}:${join(path, 'missing')}` };
  const credentials = await loadCredentials({ env, clock: new ManualClock() });
  assert.deepEqual((await credentials.access()).headers, { authorization: 'Bearer from-a' });
  assert.equal(credentials.namespace, 'default');
});

test('where credentials are looked for, in order', async (t) => {
  const home = await directory(t);
  const clock = new ManualClock();
  await assert.rejects(
    loadCredentials({ env: {}, clock, home }),
    says(/^No cluster to talk to: looked at KUBECONFIG, a pod's service account, .*\/\.kube\/config$/),
  );
  await mkdir(join(home, '.kube'));
  await writeFile(join(home, '.kube', 'config'), kubeconfig('{token: from-home}'));
  const token = async (options: { env?: Record<string, string>; kubeconfig?: string }) => {
    const credentials = await loadCredentials({ env: {}, clock, home, ...options });
    return (await credentials.access()).headers.authorization;
  };
  assert.equal(await token({}), 'Bearer from-home');
  await writeFile(join(home, 'env'), kubeconfig('{token: from-env}'));
  await writeFile(join(home, 'flag'), kubeconfig('{token: from-flag}'));
  const env = { KUBECONFIG: join(home, 'env'), ...POD_ENV };
  assert.equal(await token({ env }), 'Bearer from-env');
  assert.equal(await token({ env, kubeconfig: join(home, 'flag') }), 'Bearer from-flag');
  await assert.rejects(
    loadCredentials({ env: {}, clock, kubeconfig: join(home, 'no') }),
    says(/there is no such file/),
  );
});

for (const [what, text, words] of [
  ['no YAML', 'a: [hunter2\nb: {', /config: not YAML \(line \d+\)$/],
  ['no object', '17', /config: not a kubeconfig/],
  ['no context', 'users: []', /no current-context, and none was given/],
  [
    'an unknown user',
    kubeconfig('{}').replace('user: u,', 'user: x,'),
    /names user "x", but there is no such user/,
  ],
  ['no server', kubeconfig('{}', 'proxy-url: x'), /cluster "c" in .*config: no server/],
  [
    'a bad server',
    kubeconfig('{}', 'server: "api:6443"'),
    /server is "api:6443", expected an http or https URL/,
  ],
  [
    'half a pair',
    kubeconfig('{client-key-data: aHVudGVyMg==}'),
    /client-certificate and client-key go together/,
  ],
  [
    'a missing file',
    kubeconfig('{tokenFile: gone}'),
    /user "u" in .*, tokenFile, .*gone: there is no such file/,
  ],
  ['a number', kubeconfig('{token: 17}'), /user "u" in .*: token is not a string/],
  [
    'an old provider',
    kubeconfig('{auth-provider: {name: gcp}}'),
    /auth-provider is no longer a part of Kubernetes/,
  ],
  ['impersonated groups', kubeconfig('{as: x, as-groups: [y]}'), /as-groups is not supported/],
  [
    'an old plugin',
    kubeconfig('{exec: {command: x, apiVersion: v0}}'),
    /apiVersion is "v0", expected client/,
  ],
  ['no command', kubeconfig('{exec: {}}'), /user "u" in .*, exec: no command/],
] as const) {
  test(`kubeconfig: ${what}`, async (t) => {
    await assert.rejects(load(t, text), says(words));
  });
}

const API_VERSION = 'client.authentication.k8s.io/v1';

/** A plugin that counts its runs, and prints what the environment says. */
async function plugin(t: TestContext): Promise<string> {
  const path = await directory(t, {
    plugin: '#!/bin/sh\necho run >> "$RUNS"\nprintf %s "$OUTPUT"\nexit "$CODE"\n',
  });
  await chmod(join(path, 'plugin'), 0o755);
  return path;
}

function output(status: object, apiVersion = API_VERSION): string {
  return JSON.stringify({ apiVersion, kind: 'ExecCredential', status });
}

async function pluginWith(
  t: TestContext,
  text: string,
  options: Partial<ExecPluginOptions> = {},
  clock = new ManualClock(),
) {
  const path = await plugin(t);
  const env = { RUNS: join(path, 'runs'), OUTPUT: text, CODE: '0', ...options.env };
  const defaults: ExecPluginOptions = {
    command: join(path, 'plugin'),
    args: [],
    env,
    apiVersion: API_VERSION,
    interactiveMode: 'Never',
    installHint: '',
    cluster: null,
  };
  return new ExecPlugin({ ...defaults, ...options, env }, clock, false);
}

test('a plugin runs once for many callers, and again when its credentials expire or are refused', async (t) => {
  const clock = new ManualClock();
  const path = await plugin(t);
  const expirationTimestamp = new Date(clock.epochMs() + 60_000).toISOString();
  const text = kubeconfig(`
      exec:
        apiVersion: ${API_VERSION}
        command: ./plugin
        interactiveMode: Never
        env:
          - {name: CODE, value: '0'}
          - {name: RUNS, value: ${path}/runs}
          - {name: OUTPUT, value: '${output({ token: 'plugged', expirationTimestamp })}'}`);
  await writeFile(join(path, 'config'), text);
  const runs = () => readFileSync(join(path, 'runs'), 'utf8').trim().split('\n').length;
  const credentials = await kubeconfigCredentials(await readKubeconfig([join(path, 'config')]), clock);
  const all = await Promise.all([credentials.access(), credentials.access()]);
  assert.deepEqual(all[0]?.headers, { authorization: 'Bearer plugged' });
  assert.equal(runs(), 1);
  clock.advance(59_999);
  await credentials.access();
  assert.equal(runs(), 1);
  clock.advance(1);
  await Promise.all([credentials.access(), credentials.access()]);
  assert.equal(runs(), 2, 'expired');
  credentials.invalidate();
  await credentials.access();
  assert.equal(runs(), 3, 'refused');
});

test('a plugin gets its input, and may print a certificate', async (t) => {
  const path = await directory(t, {
    plugin: `#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" > "$0.input"\nprintf %s '${output({
      clientCertificateData: 'cert',
      clientKeyData: 'key',
    })}'\n`,
  });
  await chmod(join(path, 'plugin'), 0o755);
  const exec = `{exec: {apiVersion: ${API_VERSION}, command: ./plugin, provideClusterInfo: true}}`;
  await writeFile(
    join(path, 'config'),
    kubeconfig(exec, `server: https://h, certificate-authority-data: ${base64('ca')}`),
  );
  const credentials = await kubeconfigCredentials(
    await readKubeconfig([join(path, 'config')]),
    new ManualClock(),
  );
  assert.deepEqual((await credentials.access()).tls, {
    ca: 'ca',
    cert: 'cert',
    key: 'key',
    rejectUnauthorized: true,
  });
  const { kind, apiVersion, spec } = JSON.parse(readFileSync(join(path, 'plugin.input'), 'utf8'));
  assert.deepEqual([kind, apiVersion], ['ExecCredential', API_VERSION]);
  assert.deepEqual(spec.cluster, { server: 'https://h', 'certificate-authority-data': base64('ca') });
});

test('what goes wrong with a plugin is said in words, without what it printed', async (t) => {
  const fails = async (text: string, words: RegExp, options: Partial<ExecPluginOptions> = {}) =>
    assert.rejects((await pluginWith(t, text, options)).credentials(), says(words));
  await fails('hunter2', /did not print JSON/);
  await fails('{"kind":"hunter2"}', /did not print an ExecCredential/);
  await fails(output({ token: 'hunter2' }, 'v7'), /printed apiVersion "v7", expected "client/);
  await fails(output({ clientKeyData: 'hunter2' }), /a certificate without a key, or a key without one/);
  await fails(output({}), /neither a token nor a certificate/);
  await fails(
    output({ token: 'hunter2', expirationTimestamp: 'soon' }),
    /expirationTimestamp that is no date/,
  );
  await fails('hunter2', /failed with exit code 3/, { env: { CODE: '3' } });
  await fails('', /is not installed\. Try harder\.$/, {
    command: 'no-such-plugin',
    installHint: 'Try harder.',
  });
  await fails('', /needs a terminal/, { interactiveMode: 'Always' });
});

test('a plugin that does not end is ended', async (t) => {
  const clock = new ManualClock();
  const path = await directory(t, { plugin: '#!/bin/sh\nexec sleep 600\n' });
  await chmod(join(path, 'plugin'), 0o755);
  const slow = await pluginWith(t, '', { command: join(path, 'plugin') }, clock);
  const failure = assert.rejects(slow.credentials(), says(/did not end within 60000 ms/));
  await eventually(() => clock.pending === 1, 'the plugin runs');
  clock.advance(60_000);
  await failure;
});
