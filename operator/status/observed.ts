/** What the cluster shows of a gateway, as far as statuses depend on it. */
import type { ProxyReport } from '../../proxy/pod/report.ts';

export interface ObservedPod {
  readonly name: string;
  /** Whether Kubernetes sends traffic to it. */
  readonly ready: boolean;
  /** The newest that it said of itself; `null` when nothing was heard of it. */
  readonly report: ProxyReport | null;
  /** Why it does not run, or cannot be asked, in words such as `ImagePullBackOff: …`. */
  readonly problem: string | null;
}

export interface ObservedAddress {
  readonly type: 'IPAddress' | 'Hostname';
  readonly value: string;
}

export interface ObservedGateway {
  /** The hash of the snapshot that is stored for the pods; `null` while there is none. */
  readonly stored: string | null;
  /** Why what the gateway needs could not be written, in words. */
  readonly problem: string | null;
  /** Those that are not terminating; each has a name of its own. */
  readonly pods: readonly ObservedPod[];
  /** How many pods there should be, as the Deployment says; `null` while there is none. */
  readonly replicas: number | null;
  readonly addresses: readonly ObservedAddress[];
}

/** Of a gateway that was only just made. */
export const NOTHING_OBSERVED: ObservedGateway = {
  stored: null,
  problem: null,
  pods: [],
  replicas: null,
  addresses: [],
};
