/** `npm run cluster:up`: a Kubernetes cluster for this checkout; does nothing when it runs. See test/cluster/. */

import { up } from '../test/cluster/lifecycle.ts';
import { adminKubeconfig } from '../test/cluster/paths.ts';

const started = performance.now();
const isNew = await up((line) => console.log(line));
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(isNew ? `the cluster is ready, after ${seconds} s` : 'the cluster is running');
console.log(`npm run cluster:kubectl -- get nodes        (its kubeconfig: ${adminKubeconfig})`);
