import { type ApiAnswer, type ApiRequest, KubernetesError, type Transport } from '../../kubernetes/index.ts';
import type { Metrics } from '../../proxy/telemetry/metrics.ts';

/** Another replica may lead by now, so this one writes no more. */
export class NotLeadingError extends KubernetesError {}

/** Lets nobody write who does not lead, and counts what is written. */
export class GuardedTransport implements Transport {
  readonly #transport: Transport;
  readonly #isLeader: () => boolean;
  readonly #writes;

  constructor(transport: Transport, isLeader: () => boolean, metrics: Metrics) {
    this.#transport = transport;
    this.#isLeader = isLeader;
    this.#writes = metrics.counter(
      'sluice_operator_api_writes_total',
      'Requests of the operator that write to the API server, by resource and verb.',
      ['resource', 'verb'],
    );
  }

  send(request: ApiRequest): Promise<ApiAnswer> {
    if (request.method !== 'GET') {
      if (!this.#isLeader()) {
        return Promise.reject(new NotLeadingError(`${request.what}: this replica does not lead any more`));
      }
      this.#writes.labels(resourceOf(request.path), request.method.toLowerCase()).add();
    }
    return this.#transport.send(request);
  }
}

/** `secrets` of `/api/v1/namespaces/a/secrets/b?…`, `edgegateways/status` of a status. */
function resourceOf(path: string): string {
  const parts = path.replace(/\?.*$/, '').split('/');
  const root = parts[1] === 'api' ? 3 : 4;
  const isNamespaced = parts[root] === 'namespaces' && parts.length > root + 2;
  const [plural = '', , subresource] = parts.slice(isNamespaced ? root + 2 : root);
  return subresource === undefined ? plural : `${plural}/${subresource}`;
}
