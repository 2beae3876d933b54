/** The cluster as tests use it. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { ApiClient, type ApiRequest, type ApiResponse, type KubernetesObject } from './api.ts';
import { program } from './components.ts';
import { dial, type Forward, forward } from './dial.ts';
import { addNode, down, isRunning, removeNode, runningNodes, up } from './lifecycle.ts';
import { type ClusterNode, type CommandResult, runCommand } from './node.ts';
import { importImage } from './node-programs.ts';
import { adminKubeconfig, runFolder } from './paths.ts';

const WAIT_SECONDS = 120;

/** Where kubectl runs: the network of the cluster, everything else as outside. */
export function kubectlCommand(args: readonly string[]): {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
} {
  const [node] = runningNodes();
  if (node === undefined) throw new Error('the cluster is not running: npm run cluster:up');
  const [command, inside] = node.inside(program('kubectl'), args, ['net']);
  return {
    command,
    args: inside,
    env: { KUBECONFIG: adminKubeconfig, KUBECACHEDIR: `${runFolder}/kubectl-cache` },
  };
}

export interface KubectlOptions {
  readonly input?: string;
  readonly namespace?: string;
}

export class Cluster implements AsyncDisposable {
  readonly api: ApiClient;
  /** Whether this object started it, and so ends it. */
  readonly #owned: boolean;

  private constructor(owned: boolean) {
    this.#owned = owned;
    this.api = new ApiClient();
  }

  /** Uses the cluster that runs, as `cluster:up` left it, or starts one that ends with this object. */
  static async start(): Promise<Cluster> {
    return new Cluster(await up((line) => process.stderr.write(`cluster: ${line}\n`), 'process'));
  }

  /** Uses the cluster that runs. */
  static connect(): Cluster {
    if (!isRunning()) throw new Error('the cluster is not running: npm run cluster:up');
    return new Cluster(false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    if (this.#owned) await down(() => {});
  }

  get nodes(): readonly ClusterNode[] {
    return runningNodes();
  }

  addNode(): Promise<ClusterNode> {
    return addNode(() => {});
  }

  removeNode(node: ClusterNode): Promise<void> {
    return removeNode(node, () => {});
  }

  /** Runs kubectl to its end, whatever that is. */
  async tryKubectl(args: readonly string[], options: KubectlOptions = {}): Promise<CommandResult> {
    const scope = options.namespace === undefined ? [] : [`--namespace=${options.namespace}`];
    const { command, args: inside, env } = kubectlCommand([...scope, ...args]);
    return runCommand(command, inside, {
      env,
      ...(options.input === undefined ? {} : { input: options.input }),
    });
  }

  /** What kubectl prints; rejects, with what it says is wrong, when it fails. */
  async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.tryKubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Applies manifests, each a file's path; unknown fields are refused. */
  apply(files: readonly string[], namespace?: string): Promise<string> {
    return this.kubectl(['apply', '--validate=strict', ...files.map((file) => `--filename=${file}`)], {
      ...(namespace === undefined ? {} : { namespace }),
    });
  }

  applyObjects(objects: readonly object[], namespace?: string): Promise<string> {
    return this.kubectl(['apply', '--validate=strict', '--filename=-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
      ...(namespace === undefined ? {} : { namespace }),
    });
  }

  /** One object, by kind and name. */
  async get(kind: string, name: string, namespace: string): Promise<KubernetesObject> {
    return JSON.parse(
      await this.kubectl(['get', kind, name, '--output=json'], { namespace }),
    ) as KubernetesObject;
  }

  /** Deletes an object and resolves when it is gone; does nothing when there is none. */
  async delete(kind: string, name: string, namespace: string): Promise<void> {
    await this.kubectl(['delete', kind, name, '--ignore-not-found', '--wait'], { namespace });
  }

  /** Resolves when the condition holds, such as `condition=Ready` or `jsonpath={.status.phase}=Running`. */
  async wait(kind: string, name: string, condition: string, namespace: string): Promise<void> {
    await this.kubectl(['wait', `${kind}/${name}`, `--for=${condition}`, `--timeout=${WAIT_SECONDS}s`], {
      namespace,
    });
  }

  logs(pod: string, namespace: string, container?: string): Promise<string> {
    return this.kubectl(['logs', pod, ...(container === undefined ? [] : [`--container=${container}`])], {
      namespace,
    });
  }

  /** A namespace of its own for a test, which ends with it. Deleting goes on in the background. */
  async namespace(prefix: string): Promise<TestNamespace> {
    const name = `${prefix}-${randomBytes(3).toString('hex')}`;
    await this.kubectl(['create', 'namespace', name]);
    return {
      name,
      [Symbol.asyncDispose]: async () => {
        await this.kubectl(['delete', 'namespace', name, '--wait=false']);
      },
    };
  }

  request(request: ApiRequest): Promise<ApiResponse> {
    return this.api.request(request);
  }

  /** A connection with an address inside the cluster: a pod's, a service's, a node's. */
  dial(host: string, port: number): Promise<Socket> {
    return dial(host, port);
  }

  /** The same as a port of 127.0.0.1. */
  forward(host: string, port: number): Promise<Forward> {
    return forward(host, port);
  }

  /** @param file as `writeImage` makes it. */
  async importImage(file: string): Promise<void> {
    await Promise.all(this.nodes.map((node) => importImage(node, file)));
  }
}

export interface TestNamespace extends AsyncDisposable {
  readonly name: string;
}
