/**
 * An API server for tests: lists in pages, watches with bookmarks, compaction, optimistic locking, tokens, and
 * whatever can go wrong on demand. Its answers are shaped as those of kube-apiserver.
 */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { collectionPath, type KubernetesObject, type ResourceType } from '../objects.ts';
import { type Change, FakeEtcd } from './fake-etcd.ts';
import { FakeWatch } from './fake-watch.ts';
import { applyPatch } from './server-side-apply.ts';
import { Refusal, statusOf } from './status.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly isWatch: boolean;
  /** Counts from 1. */
  readonly connection: number;
}

/** What a request gets in place of an answer, or (for `delay`, `loseAnswer`) along with it. */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly reason?: string;
      readonly retryAfter?: number;
    }
  | { readonly kind: 'raw'; readonly status: number; readonly body: string }
  /** Never answered. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'cut' }
  /** Done, but the answer is lost. */
  | { readonly kind: 'loseAnswer' }
  /** Answered when the promise resolves. */
  | { readonly kind: 'delay'; readonly until: Promise<void> };

interface Place {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

export interface FakeApiServerOptions {
  readonly clock: Clock;
  readonly tls?: https.ServerOptions;
}

export class FakeApiServer {
  readonly etcd: FakeEtcd;
  readonly requests: SeenRequest[] = [];
  readonly watches = new Set<FakeWatch>();
  /** Bearer tokens that are accepted; `null` accepts everybody. */
  tokens: ReadonlySet<string> | null = null;
  /** Decides what goes wrong with a request. */
  fault: (request: SeenRequest) => Fault | undefined = () => undefined;
  /** Splits what watches write; 0 does not. */
  chunkBytes = 0;
  connections = 0;
  readonly #clock: Clock;
  readonly #server: http.Server | https.Server;
  /** Open connections, and the number of each. */
  readonly sockets = new Map<Socket, number>();
  /** Pages still to come, by continue token. */
  readonly #pages = new Map<
    string,
    { readonly revision: number; readonly rest: readonly KubernetesObject[] }
  >();
  #port = 0;
  #tokenCount = 0;

  constructor({ clock, tls }: FakeApiServerOptions) {
    this.#clock = clock;
    this.etcd = new FakeEtcd((change) => this.#publish(change));
    const onRequest: http.RequestListener = (request, response) => void this.#serve(request, response);
    this.#server = tls === undefined ? http.createServer(onRequest) : https.createServer(tls, onRequest);
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.sockets.set(socket, ++this.connections);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
    });
  }

  get url(): string {
    return `${this.#server instanceof https.Server ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  /** Listens; after `stop`, on the same port again. */
  async start(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Cuts every connection and listens no more; what is stored stays. */
  async stop(): Promise<void> {
    for (const watch of this.watches) watch.cut();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.sockets.keys()) socket.destroy();
    await closed;
  }

  put(
    type: ResourceType,
    object: Pick<KubernetesObject, 'metadata'> & Record<string, unknown>,
  ): KubernetesObject {
    const apiVersion = type.group === '' ? type.version : `${type.group}/${type.version}`;
    return this.etcd.put(collectionPath(type), { apiVersion, kind: type.kind, ...object });
  }

  delete(type: ResourceType, namespace: string | undefined, name: string): void {
    this.etcd.delete(collectionPath(type), namespace, name);
  }

  /** Tells every watch the present revision. */
  sendBookmarks(): void {
    for (const watch of this.watches) watch.bookmark(this.etcd.revision);
  }

  /** As a server that shuts down, or at the watches' time limit. */
  endWatches(): void {
    for (const watch of this.watches) watch.end();
  }

  /** Etcd's compaction: what is older than now can be neither watched from nor paged through. */
  compact(): void {
    this.etcd.compact();
    this.#pages.clear();
  }

  requestsTo(path: string): SeenRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  #publish(change: Change): void {
    for (const watch of this.watches) watch.show(change);
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://api');
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      isWatch: url.searchParams.get('watch') === 'true',
      connection: this.sockets.get(request.socket) ?? 0,
    };
    this.requests.push(seen);
    const fault = this.fault(seen);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut') return void request.socket.destroy();
    if (fault?.kind === 'delay') await fault.until;
    try {
      if (fault?.kind === 'raw') return send(response, fault.status, fault.body);
      if (fault?.kind === 'status')
        throw new Refusal(fault.status, fault.reason ?? '', 'as told', [], fault.retryAfter);
      this.#authenticate(seen);
      if (seen.isWatch) return this.#watch(seen, response);
      const [status, body] = this.#answer(seen);
      if (fault?.kind === 'loseAnswer') request.socket.destroy();
      else send(response, status, JSON.stringify(body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.retryAfterSeconds !== undefined) response.setHeader('retry-after', error.retryAfterSeconds);
      send(response, error.status, JSON.stringify(statusOf(error)));
    }
  }

  #authenticate({ headers }: SeenRequest): void {
    const token = headers.authorization?.replace(/^Bearer /, '') ?? '';
    if (this.tokens !== null && !this.tokens.has(token))
      throw new Refusal(401, 'Unauthorized', 'Unauthorized');
  }

  #answer(request: SeenRequest): [status: number, body: unknown] {
    const place = placeOf(request.path);
    const { collection, namespace, name } = place;
    switch (request.method) {
      case 'GET':
        return [200, name === undefined ? this.#list(place, request.query) : this.#existing(place)];
      case 'POST':
        return [201, this.#create(collection, JSON.parse(request.body) as KubernetesObject)];
      case 'PUT':
        return [200, this.#update(place, JSON.parse(request.body) as KubernetesObject)];
      case 'PATCH': {
        const known = this.etcd.get(collection, namespace, name ?? '');
        const patched = applyPatch(known, JSON.parse(request.body) as KubernetesObject, request.query, place);
        // An apply that changes nothing is no change, as in kube-apiserver.
        if (JSON.stringify(patched) === JSON.stringify(known)) return [200, known];
        return [known === null ? 201 : 200, this.etcd.put(collection, patched)];
      }
      case 'DELETE':
        checkPreconditions(this.#existing(place), request.body);
        return [200, this.etcd.delete(collection, namespace, name ?? '')];
      default:
        throw new Refusal(405, 'MethodNotAllowed', 'no such method');
    }
  }

  #existing({ collection, namespace, name = '' }: Place): KubernetesObject {
    const object = this.etcd.get(collection, namespace, name);
    if (object === null) throw new Refusal(404, 'NotFound', `"${name}" not found`);
    return object;
  }

  #create(collection: string, object: KubernetesObject): KubernetesObject {
    const { namespace, name, resourceVersion } = object.metadata;
    if (resourceVersion !== undefined)
      throw new Refusal(400, 'BadRequest', 'resourceVersion should not be set');
    if (this.etcd.get(collection, namespace, name) !== null) {
      throw new Refusal(409, 'AlreadyExists', `"${name}" already exists`);
    }
    return this.etcd.put(collection, object);
  }

  #update(place: Place, object: KubernetesObject): KubernetesObject {
    const { collection, namespace, name = '' } = place;
    const { uid, resourceVersion } = object.metadata;
    const known = this.etcd.get(collection, namespace, name);
    // Leases can be created by an update, unless a uid says which one is meant.
    if (known === null && !(collection.endsWith('/leases') && uid === undefined)) {
      if (uid !== undefined) throw new Refusal(409, 'Conflict', 'Precondition failed: UID in precondition');
      throw new Refusal(404, 'NotFound', `"${name}" not found`);
    }
    const isOutdated =
      known !== null && resourceVersion !== undefined && resourceVersion !== known.metadata.resourceVersion;
    if (isOutdated || (known !== null && uid !== undefined && uid !== known.metadata.uid)) {
      throw new Refusal(
        409,
        'Conflict',
        'the object has been modified; please apply your changes to the latest version',
      );
    }
    return this.etcd.put(collection, object);
  }

  #list(place: Place, query: URLSearchParams): unknown {
    const limit = Number(query.get('limit') ?? 0);
    const token = query.get('continue');
    let revision = this.etcd.revision;
    let rest: readonly KubernetesObject[];
    if (token === null) {
      const all = this.etcd.list(place.collection, place.namespace);
      rest = all.filter((object) => matches(object, query.get('labelSelector'), query.get('fieldSelector')));
    } else {
      const page = this.#pages.get(token);
      if (page === undefined) throw new Refusal(410, 'Expired', 'The provided continue parameter is too old');
      ({ revision, rest } = page);
    }
    const items = limit > 0 ? rest.slice(0, limit) : rest;
    const metadata: Record<string, unknown> = { resourceVersion: String(revision) };
    if (items.length < rest.length) {
      const next = `page-${++this.#tokenCount}`;
      this.#pages.set(next, { revision, rest: rest.slice(items.length) });
      metadata.continue = next;
      metadata.remainingItemCount = rest.length - items.length;
    }
    // Items of built-in types carry no kind in a list.
    return {
      kind: 'List',
      apiVersion: 'v1',
      metadata,
      items: items.map(({ kind: _k, apiVersion: _a, ...item }) => item),
    };
  }

  #watch({ path, query }: SeenRequest, response: http.ServerResponse): void {
    const { collection, namespace } = placeOf(path);
    const from = Number(query.get('resourceVersion'));
    if (from > this.etcd.revision) {
      const cause = { reason: 'ResourceVersionTooLarge', message: 'Too large resource version' };
      throw new Refusal(504, 'Timeout', `Too large resource version: ${from}`, [cause], 1);
    }
    const isShown = (object: KubernetesObject) =>
      (namespace === undefined || object.metadata.namespace === namespace) &&
      matches(object, query.get('labelSelector'), query.get('fieldSelector'));
    const watch = new FakeWatch(response, collection, isShown, this.chunkBytes);
    this.watches.add(watch);
    const cancel = this.#clock.after(Number(query.get('timeoutSeconds') ?? 1800) * 1000, () => watch.end());
    response.on('close', () => {
      cancel();
      this.watches.delete(watch);
    });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.etcd.compacted) {
      const message = `too old resource version: ${from} (${this.etcd.compacted})`;
      watch.error(statusOf(new Refusal(410, 'Expired', message)));
      return;
    }
    for (const change of this.etcd.changesAfter(from)) watch.show(change);
  }
}

function checkPreconditions({ metadata }: KubernetesObject, body: string): void {
  const { preconditions = {} } = (body === '' ? {} : JSON.parse(body)) as {
    preconditions?: { uid?: string; resourceVersion?: string };
  };
  const { uid = metadata.uid, resourceVersion = metadata.resourceVersion } = preconditions;
  if (uid !== metadata.uid || resourceVersion !== metadata.resourceVersion)
    throw new Refusal(409, 'Conflict', 'Precondition failed');
}

function send(response: http.ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body);
}

function placeOf(path: string): Place {
  const parts =
    /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
      path,
    );
  if (parts === null) throw new Refusal(404, 'NotFound', 'the server could not find the requested resource');
  const [, root, namespace, plural, name, subresource] = parts;
  return { collection: `${root}/${plural}`, namespace, name, subresource };
}

/** Terms of the form `a=b` and `a!=b`, as in `type!=helm.sh/release.v1`. */
function matches(
  object: KubernetesObject,
  labelSelector: string | null,
  fieldSelector: string | null,
): boolean {
  const { name, namespace, labels } = object.metadata;
  const fields: Record<string, unknown> = {
    'metadata.name': name,
    'metadata.namespace': namespace,
    type: (object as { type?: unknown }).type,
  };
  return holds(labelSelector, (label) => labels?.[label]) && holds(fieldSelector, (field) => fields[field]);
}

function holds(selector: string | null, lookUp: (name: string) => unknown): boolean {
  const terms = (selector ?? '').split(',').filter((term) => term !== '');
  return terms.every((term) => {
    const [name = '', value] = term.split(/!?=/);
    return (lookUp(name) === value) !== term.includes('!=');
  });
}
