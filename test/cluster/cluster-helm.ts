/** Helm against the cluster that runs. */
import { program } from './components.ts';
import { helmEnvironment } from './helm.ts';
import { runningNodes } from './lifecycle.ts';
import { type CommandResult, runCommand } from './node.ts';
import { adminKubeconfig } from './paths.ts';

/** To its end, whatever that is. */
export async function tryClusterHelm(namespace: string, args: readonly string[]): Promise<CommandResult> {
  const [node] = runningNodes();
  if (node === undefined) throw new Error('the cluster is not running: npm run cluster:up');
  const [command, inside] = node.inside(program('helm'), [...args, `--namespace=${namespace}`], ['net']);
  return runCommand(command, inside, { env: { ...helmEnvironment, KUBECONFIG: adminKubeconfig } });
}

/** What Helm prints; rejects, with what it says is wrong, when it fails. */
export async function clusterHelm(namespace: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await tryClusterHelm(namespace, args);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
  return stdout;
}
