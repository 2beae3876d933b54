import { ApiError, ProtocolError } from './errors.ts';
import { collectionPath, type KubernetesObject, objectPath, type ResourceType, typeName } from './objects.ts';
import { type ApiRequest, expectSuccess, type Transport } from './transport.ts';

const MAX_OBJECT_BYTES = 16 << 20;
export const REQUEST_TIMEOUT_MS = 30_000;

export interface ObjectName {
  /** Absent for types without namespaces. */
  readonly namespace?: string;
  readonly name: string;
}

/** `secrets chat/keys`: for people. */
export function describe(type: ResourceType, { namespace, name }: ObjectName): string {
  return `${typeName(type)} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** Single objects of one type. Every call throws `KubernetesError`s, and has an answer within its time limit. */
export class ObjectClient<T extends KubernetesObject> {
  readonly #transport: Transport;
  readonly #type: ResourceType;

  constructor(transport: Transport, type: ResourceType) {
    this.#transport = transport;
    this.#type = type;
  }

  /** @returns `null` when there is no such object. */
  async get(name: ObjectName, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T | null> {
    try {
      return await this.#send('GET', name, null, timeoutMs);
    } catch (error) {
      if (error instanceof ApiError && error.notFound) return null;
      throw error;
    }
  }

  /** @throws ApiError `conflict` when it exists. */
  create(object: T, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T> {
    return this.#send('POST', object.metadata, object, timeoutMs);
  }

  /** @throws ApiError `conflict` when it is not in the state that its resourceVersion and uid name. */
  update(object: T, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T> {
    return this.#send('PUT', object.metadata, object, timeoutMs);
  }

  /**
   * Deletes the object with this uid, in the background with all that it owns; does nothing when it is gone.
   *
   * @param resourceVersion only in this state; absent: in any
   * @throws ApiError `conflict` when another object has taken its name, or it is in another state
   */
  async delete(
    name: ObjectName,
    uid: string,
    timeoutMs = REQUEST_TIMEOUT_MS,
    resourceVersion?: string,
  ): Promise<void> {
    const options = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      preconditions: { uid, ...(resourceVersion !== undefined && { resourceVersion }) },
    };
    try {
      await this.#send('DELETE', name, options, timeoutMs);
    } catch (error) {
      if (!(error instanceof ApiError && error.notFound)) throw error;
    }
  }

  async #send(
    method: keyof typeof VERBS,
    name: ObjectName,
    body: object | null,
    timeoutMs: number,
  ): Promise<T> {
    const request: ApiRequest = {
      what: `${VERBS[method]} ${describe(this.#type, name)}`,
      method,
      path:
        method === 'POST'
          ? collectionPath(this.#type, name.namespace)
          : objectPath(this.#type, name.namespace, name.name),
      headTimeoutMs: timeoutMs,
      ...(body !== null && { contentType: 'application/json', body: JSON.stringify(body) }),
    };
    return (await readObject(request, this.#transport, timeoutMs)) as T;
  }
}

const VERBS = { GET: 'get', POST: 'create', PUT: 'update', DELETE: 'delete' } as const;

/** Sends a request whose answer is one object. */
export async function readObject(
  request: ApiRequest,
  transport: Transport,
  timeoutMs: number,
): Promise<unknown> {
  const answer = await expectSuccess(request, await transport.send(request));
  const text = await answer.text({ timeoutMs, maxBytes: MAX_OBJECT_BYTES });
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError(`${request.what}: the answer is not JSON`);
  }
}
