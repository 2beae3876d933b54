/** `npm run cluster:build`: the programs of the test cluster, into the cache; does nothing when they are there. */
import { build } from '../test/cluster/build.ts';

await build((line) => console.log(line));
