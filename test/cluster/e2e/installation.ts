/** The chart of this checkout, installed with images of this checkout. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../cluster.ts';
import { program } from '../components.ts';
import { helmEnvironment } from '../helm.ts';
import { type ClusterNode, runCommand } from '../node.ts';
import { importImage } from '../node-programs.ts';
import { adminKubeconfig, root } from '../paths.ts';
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
    await this.#helm([
      ...['upgrade', '--install', RELEASE, join(root, 'charts', 'sluice')],
      ...['--create-namespace', '--wait', '--timeout', TIMEOUT],
      ...[stamp, ...values].flatMap((value) => ['--set-string', value]),
    ]);
  }

  /** An image that is the same but for its tag, at all nodes. */
  async addVersion(tag: string): Promise<void> {
    await this.#cluster.importImage(projectImage(this.#project, `sluice:${tag}`).file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#helm(['uninstall', RELEASE, '--wait', '--timeout', TIMEOUT]);
  }

  async #helm(args: readonly string[]): Promise<void> {
    const [command, inside] = this.#cluster.nodes[0]!.inside(program('helm'), args, ['net']);
    const { code, stderr } = await runCommand(command, [...inside, `--namespace=${OPERATOR_NAMESPACE}`], {
      env: { ...helmEnvironment, KUBECONFIG: adminKubeconfig },
    });
    if (code !== 0) throw new Error(`helm ${args[0]}: ${stderr}`);
  }
}
