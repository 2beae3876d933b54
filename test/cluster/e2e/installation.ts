/** The chart of this checkout, installed with images of this checkout. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../cluster.ts';
import { clusterHelm } from '../cluster-helm.ts';
import type { ClusterNode } from '../node.ts';
import { importImage } from '../node-programs.ts';
import { root } from '../paths.ts';
import { examplesImage, type ProjectImage, projectImage } from '../project-image.ts';
import { echoImage } from './echo-image.ts';

export const OPERATOR_NAMESPACE = 'sluice-system';
const RELEASE = 'sluice';
const TIMEOUT = '180s';

export class Installation implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #project: ProjectImage;

  private constructor(cluster: Cluster, project: ProjectImage) {
    this.#cluster = cluster;
    this.#project = project;
  }

  /** @param values of the chart, such as `replicas=1` */
  static async install(cluster: Cluster, values: readonly string[] = []): Promise<Installation> {
    const installation = new Installation(cluster, projectImage());
    await installation.importImages(cluster.nodes);
    await installation.upgrade(values);
    return installation;
  }

  /** The image of this checkout, as the cluster has it. */
  get project(): ProjectImage {
    return this.#project;
  }

  /** For nodes that joined later, too. */
  async importImages(nodes: readonly ClusterNode[]): Promise<void> {
    const project = this.#project;
    for (const file of [project.file, examplesImage(project).file, echoImage(project)]) {
      await Promise.all(nodes.map((node) => importImage(node, file)));
    }
  }

  /** Installs the chart, or changes how it is installed; resolves when the operator is ready. */
  async upgrade(values: readonly string[] = []): Promise<void> {
    // The tag stays the same when the image is another one: pods of an earlier test must not stay.
    const stamp = `podAnnotations.test-image=${statSync(this.#project.file).mtimeMs}`;
    await clusterHelm(OPERATOR_NAMESPACE, [
      ...['upgrade', '--install', RELEASE, join(root, 'charts', 'sluice')],
      // The definitions may be there from other tests, which apply them by themselves.
      ...['--create-namespace', '--take-ownership', '--wait', '--timeout', TIMEOUT],
      ...[stamp, ...values].flatMap((value) => ['--set-string', value]),
    ]);
  }

  /** An image that is the same but for its tag, at all nodes. */
  async addVersion(tag: string): Promise<void> {
    await this.#cluster.importImage(projectImage(this.#project, `sluice:${tag}`).file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await clusterHelm(OPERATOR_NAMESPACE, ['uninstall', RELEASE, '--wait', '--timeout', TIMEOUT]);
  }
}
