import type { Clock } from '../../kubernetes/index.ts';
import type { ProxyReport } from '../../proxy/pod/report.ts';
import { ReportFollower } from './report-follower.ts';

export interface PodAddress {
  /** Of the pod: another pod of the same name is another pod. */
  readonly uid: string;
  /** Where its reports are to be had, such as `http://10.0.0.7:9902/report`. */
  readonly url: string;
}

export interface PodReportsOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Told of a pod, by its uid, that said something new or fell silent. */
  readonly onChange: (uid: string) => void;
}

/** The reports of many pods. */
export class PodReports {
  readonly #options: PodReportsOptions;
  readonly #followers = new Map<string, { readonly url: string; readonly follower: ReportFollower }>();

  constructor(options: PodReportsOptions) {
    this.#options = options;
  }

  /** Follows just these pods from now on. */
  follow(pods: readonly PodAddress[]): void {
    const wanted = new Map(pods.map(({ uid, url }) => [uid, url]));
    for (const [uid, { url, follower }] of this.#followers) {
      if (wanted.get(uid) === url) continue;
      follower.stop();
      this.#followers.delete(uid);
    }
    const { clock, random, onChange } = this.#options;
    for (const [uid, url] of wanted) {
      if (this.#followers.has(uid)) continue;
      const follower = new ReportFollower({ url, clock, random, onChange: () => onChange(uid) });
      this.#followers.set(uid, { url, follower });
    }
  }

  report(uid: string): ProxyReport | null {
    return this.#followers.get(uid)?.follower.report ?? null;
  }

  /** Why a pod has no report, in words. */
  problem(uid: string): string | null {
    return this.#followers.get(uid)?.follower.problem ?? null;
  }

  stop(): void {
    this.follow([]);
  }
}
