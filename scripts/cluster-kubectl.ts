/** `npm run cluster:kubectl -- ARGUMENT…`: kubectl as the administrator of the cluster of this checkout. */
import { spawn } from 'node:child_process';
import { kubectlCommand } from '../test/cluster/cluster.ts';

const { command, args, env } = kubectlCommand(process.argv.slice(2));
const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
child.on('exit', (code) => process.exit(code ?? 1));
