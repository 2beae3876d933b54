/** `npm run cluster:down`: ends the cluster of this checkout and removes all of it; does nothing when there is none. */
import { down } from '../test/cluster/lifecycle.ts';

await down((line) => console.log(line));
