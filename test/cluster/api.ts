/** Requests to the API server over kept-alive connections, where a kubectl process per request would take too long. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { Agent, request } from 'undici';
import { dial } from './dial.ts';
import { addresses } from './paths.ts';
import { pki } from './pki.ts';

const CONNECTIONS = 8;

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly creationTimestamp?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly [field: string]: unknown;
}

/** What the API server answers when it refuses. */
export interface Status {
  readonly message: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly StatusCause[] };
}

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface ApiResponse {
  readonly status: number;
  /** The object when the status is below 400; what was refused and why otherwise. */
  readonly body: KubernetesObject & Status;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query, such as `/api/v1/namespaces?limit=1`. */
  readonly path: string;
  readonly body?: unknown;
  /** `application/json` unless told otherwise; what a PATCH means depends on it. */
  readonly contentType?: string;
  readonly accept?: string;
}

/** Speaks with the API server as the administrator. */
export class ApiClient implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #origin: string;

  constructor() {
    const [host, port] = [addresses.node(1), addresses.apiServerPort];
    const tls = {
      ca: readFileSync(pki.ca),
      cert: readFileSync(pki.path('admin.crt')),
      key: readFileSync(pki.path('admin.key')),
      servername: 'kubernetes.default.svc',
      ALPNProtocols: ['http/1.1'],
    };
    this.#origin = `https://${host}:${port}`;
    this.#agent = new Agent({
      connections: CONNECTIONS,
      connect: (_options, done) => {
        dial(host, port).then(
          (socket) => {
            const secure = connect({ ...tls, socket });
            secure.once('error', (error) => done(error, null));
            secure.once('secureConnect', () => done(null, secure));
          },
          (error: Error) => done(error, null),
        );
      },
    });
  }

  /** Answers of any status are answers; rejects when there is none. */
  async request({ method, path, body, contentType, accept }: ApiRequest): Promise<ApiResponse> {
    const response = await request(`${this.#origin}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        accept: accept ?? 'application/json',
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    return {
      status: response.statusCode,
      body: (isJson ? JSON.parse(text) : { message: text }) as ApiResponse['body'],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.close();
  }
}
