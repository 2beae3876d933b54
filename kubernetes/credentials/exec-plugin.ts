/** Credential plugins: programs that print an ExecCredential (client.authentication.k8s.io). */
import { spawn } from 'node:child_process';
import type { Clock } from '../clock.ts';
import { CredentialsError, isRecord } from '../errors.ts';

export interface ExecPluginOptions {
  /** Resolved already: a bare name, or an absolute path. */
  readonly command: string;
  readonly args: readonly string[];
  /** Added to our own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** `client.authentication.k8s.io/v1` or `…/v1beta1`. */
  readonly apiVersion: string;
  readonly interactiveMode: 'Never' | 'IfAvailable' | 'Always';
  /** Told when the command is not there. */
  readonly installHint: string;
  /** The `spec.cluster` of the plugin's input; `null` unless the plugin is to have it. */
  readonly cluster: Readonly<Record<string, unknown>> | null;
}

/** Secret. */
export interface PluginCredentials {
  readonly token: string | null;
  readonly clientCertificate: { readonly cert: string; readonly key: string } | null;
  /** Milliseconds since the epoch; infinite when they do not expire. */
  readonly expiresAtMs: number;
}

const TIMEOUT_MS = 60_000;
/** A person may have to sign in. */
const INTERACTIVE_TIMEOUT_MS = 600_000;
const MAX_OUTPUT_BYTES = 1 << 20;

/** Runs a plugin when there is nothing valid from its last run. */
export class ExecPlugin {
  readonly #options: ExecPluginOptions;
  readonly #clock: Clock;
  readonly #hasTerminal: boolean;
  #cached: PluginCredentials | null = null;
  #pending: Promise<PluginCredentials> | null = null;

  constructor(options: ExecPluginOptions, clock: Clock, hasTerminal = process.stdin.isTTY === true) {
    this.#options = options;
    this.#clock = clock;
    this.#hasTerminal = hasTerminal;
  }

  /** @throws CredentialsError */
  async credentials(): Promise<PluginCredentials> {
    if (this.#cached !== null && this.#clock.epochMs() < this.#cached.expiresAtMs) return this.#cached;
    this.#pending ??= this.#run().finally(() => {
      this.#pending = null;
    });
    this.#cached = await this.#pending;
    return this.#cached;
  }

  invalidate(): void {
    this.#cached = null;
  }

  async #run(): Promise<PluginCredentials> {
    const { command, interactiveMode, apiVersion, cluster } = this.#options;
    const interactive = this.#hasTerminal && interactiveMode !== 'Never';
    if (interactiveMode === 'Always' && !interactive) {
      throw new CredentialsError(
        `The credential plugin ${command} needs a terminal (interactiveMode: Always)`,
      );
    }
    const spec = { interactive, ...(cluster !== null && { cluster }) };
    const input = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec });
    return readCredentials(await this.#output(input, interactive), command, apiVersion);
  }

  #output(input: string, interactive: boolean): Promise<string> {
    const { command, args, env, installHint } = this.#options;
    return new Promise((resolve, reject) => {
      const fail = (words: string) =>
        reject(new CredentialsError(`The credential plugin ${command} ${words}`));
      const child = spawn(command, args, {
        env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: input },
        // What the plugin has to say to a person goes to that person, as with kubectl, and not into our messages.
        stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
      });
      const timeoutMs = interactive ? INTERACTIVE_TIMEOUT_MS : TIMEOUT_MS;
      const cancel = this.#clock.after(timeoutMs, () => {
        child.kill('SIGKILL');
        fail(`did not end within ${timeoutMs} ms`);
      });
      const chunks: Buffer[] = [];
      let bytes = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes <= MAX_OUTPUT_BYTES) return;
        child.kill('SIGKILL');
        fail(`printed more than ${MAX_OUTPUT_BYTES} bytes`);
      });
      child.on('error', (error: NodeJS.ErrnoException) => {
        cancel();
        const hint = installHint === '' ? '' : `. ${installHint}`;
        fail(error.code === 'ENOENT' ? `is not installed${hint}` : `could not be run: ${error.message}`);
      });
      child.on('close', (code, signal) => {
        cancel();
        if (code === 0) resolve(Buffer.concat(chunks).toString('utf8'));
        else fail(code === null ? `was ended by ${signal}` : `failed with exit code ${code}`);
      });
    });
  }
}

/** Quotes nothing of what was printed: it is secret. */
function readCredentials(text: string, command: string, apiVersion: string): PluginCredentials {
  const fail = (words: string) => new CredentialsError(`The credential plugin ${command} ${words}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail('did not print JSON');
  }
  if (!isRecord(value) || value.kind !== 'ExecCredential') throw fail('did not print an ExecCredential');
  if (value.apiVersion !== apiVersion) {
    throw fail(`printed apiVersion ${JSON.stringify(value.apiVersion)}, expected "${apiVersion}"`);
  }
  const status = isRecord(value.status) ? value.status : {};
  const textOf = (field: string) => {
    const found = status[field];
    return typeof found === 'string' && found !== '' ? found : null;
  };
  const [token, cert, key] = [textOf('token'), textOf('clientCertificateData'), textOf('clientKeyData')];
  if ((cert === null) !== (key === null))
    throw fail('printed a certificate without a key, or a key without one');
  if (token === null && cert === null) throw fail('printed neither a token nor a certificate');
  const expiration = textOf('expirationTimestamp');
  const expiresAtMs = expiration === null ? Number.POSITIVE_INFINITY : Date.parse(expiration);
  if (Number.isNaN(expiresAtMs)) throw fail('printed an expirationTimestamp that is no date');
  return {
    token,
    clientCertificate: cert === null || key === null ? null : { cert, key },
    expiresAtMs,
  };
}
