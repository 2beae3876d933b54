import { resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import { CredentialsError, isRecord } from '../errors.ts';
import { type Access, type Credentials, stableTls } from './access.ts';
import { CachedFile } from './cached-file.ts';
import { ExecPlugin } from './exec-plugin.ts';
import { type Entry, pathField, type SelectedContext, textField } from './kubeconfig.ts';

/** Something that may change while we run. */
interface Changing {
  text(): Promise<string>;
  invalidate(): void;
}

/**
 * Credentials of a kubeconfig's context: client certificates and tokens, inline or in files, a name and password,
 * or a credential plugin; on behalf of another user where it says so. What is in files is read again in time.
 *
 * @throws CredentialsError
 */
export async function kubeconfigCredentials(context: SelectedContext, clock: Clock): Promise<Credentials> {
  const { cluster, user } = context;
  const server = serverOf(cluster);
  const ca = dataOrFile(cluster, 'certificate-authority', clock);
  const cert = dataOrFile(user, 'client-certificate', clock);
  const key = dataOrFile(user, 'client-key', clock);
  if ((cert === null) !== (key === null)) {
    throw new CredentialsError(`${user.what}: client-certificate and client-key go together`);
  }
  const token = tokenOf(user, clock);
  const plugin = pluginOf(user, cluster, clock, ca === null ? null : await ca.text());
  const servername = textField(cluster, 'tls-server-name');
  const rejectUnauthorized = cluster.fields['insecure-skip-tls-verify'] !== true;
  const keep = stableTls();

  const access = async (): Promise<Access> => {
    const plugged = plugin === null ? null : await plugin.credentials();
    const identity =
      plugged?.clientCertificate ??
      (cert === null || key === null ? null : { cert: await cert.text(), key: await key.text() });
    const bearer = token === null ? (plugged?.token ?? null) : await token.text();
    return {
      server,
      tls: keep({
        ...(ca !== null && { ca: await ca.text() }),
        ...identity,
        ...(servername !== null && { servername }),
        rejectUnauthorized,
      }),
      headers: { ...authorization(user, bearer), ...impersonation(user) },
      proxyUrl: textField(cluster, 'proxy-url'),
    };
  };
  await access();
  const changing = [ca, cert, key, token, plugin];
  return {
    namespace: context.namespace,
    access,
    invalidate: () => {
      for (const each of changing) each?.invalidate();
    },
  };
}

function serverOf(cluster: Entry): string {
  const text = textField(cluster, 'server');
  if (text === null) throw new CredentialsError(`${cluster.what}: no server`);
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CredentialsError(
      `${cluster.what}: server is ${JSON.stringify(text)}, expected an http or https URL`,
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** `name-data` in base64 wins over the file that `name` names. */
function dataOrFile(entry: Entry, name: string, clock: Clock): Changing | null {
  const data = textField(entry, `${name}-data`);
  if (data !== null) return fixed(Buffer.from(data, 'base64').toString('utf8'));
  const path = pathField(entry, name);
  return path === null ? null : new CachedFile(path, `${entry.what}, ${name}`, clock);
}

/** A file wins over a token, as with kubectl. */
function tokenOf(user: Entry, clock: Clock): Changing | null {
  const path = pathField(user, 'tokenFile');
  if (path !== null) return new CachedFile(path, `${user.what}, tokenFile`, clock);
  const token = textField(user, 'token');
  return token === null ? null : fixed(token);
}

function fixed(text: string): Changing {
  return { text: async () => text, invalidate: () => {} };
}

function authorization(user: Entry, bearer: string | null): Record<string, string> {
  if (bearer !== null) return { authorization: `Bearer ${bearer}` };
  const name = textField(user, 'username');
  if (name === null) return {};
  const pair = `${name}:${textField(user, 'password') ?? ''}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function impersonation(user: Entry): Record<string, string> {
  const name = textField(user, 'as');
  for (const field of ['as-groups', 'as-user-extra']) {
    if (user.fields[field] !== undefined)
      throw new CredentialsError(`${user.what}: ${field} is not supported`);
  }
  return name === null ? {} : { 'impersonate-user': name };
}

const EXEC_API_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

function pluginOf(user: Entry, cluster: Entry, clock: Clock, ca: string | null): ExecPlugin | null {
  if (user.fields['auth-provider'] !== undefined) {
    throw new CredentialsError(`${user.what}: auth-provider is no longer a part of Kubernetes, use exec`);
  }
  const fields = user.fields.exec;
  if (fields === undefined) return null;
  if (!isRecord(fields)) throw new CredentialsError(`${user.what}: exec is not an object`);
  const exec: Entry = { ...user, what: `${user.what}, exec`, fields };
  const command = textField(exec, 'command');
  if (command === null) throw new CredentialsError(`${exec.what}: no command`);
  const apiVersion = textField(exec, 'apiVersion') ?? '';
  if (!EXEC_API_VERSIONS.includes(apiVersion)) {
    const expected = EXEC_API_VERSIONS.join(' or ');
    throw new CredentialsError(
      `${exec.what}: apiVersion is ${JSON.stringify(apiVersion)}, expected ${expected}`,
    );
  }
  const mode = textField(exec, 'interactiveMode') ?? 'IfAvailable';
  if (mode !== 'Never' && mode !== 'IfAvailable' && mode !== 'Always') {
    throw new CredentialsError(
      `${exec.what}: interactiveMode is ${JSON.stringify(mode)}, expected Never, IfAvailable or Always`,
    );
  }
  const list = (field: string) => {
    const value = fields[field] ?? [];
    if (!Array.isArray(value)) throw new CredentialsError(`${exec.what}: ${field} is not a list`);
    return value as unknown[];
  };
  const env = list('env')
    .filter(isRecord)
    .map(({ name, value }) => [String(name), String(value)] as const);
  return new ExecPlugin(
    {
      // Only a bare name is looked for in the PATH.
      command: command.includes('/') ? resolve(user.directory, command) : command,
      args: list('args').map(String),
      env: Object.fromEntries(env),
      apiVersion,
      interactiveMode: mode,
      installHint: textField(exec, 'installHint') ?? '',
      cluster: fields.provideClusterInfo === true ? clusterInfo(cluster, ca) : null,
    },
    clock,
  );
}

/** As client.authentication.k8s.io has it. */
function clusterInfo(cluster: Entry, ca: string | null): Record<string, unknown> {
  const servername = textField(cluster, 'tls-server-name');
  const proxyUrl = textField(cluster, 'proxy-url');
  return {
    server: textField(cluster, 'server'),
    ...(ca !== null && { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
    ...(servername !== null && { 'tls-server-name': servername }),
    ...(cluster.fields['insecure-skip-tls-verify'] === true && { 'insecure-skip-tls-verify': true }),
    ...(proxyUrl !== null && { 'proxy-url': proxyUrl }),
  };
}
