/** A process whose handler of changes has a bug: what becomes of it is the test. */
import { Reflector } from '../reflector.ts';
import { UndiciTransport } from '../undici-transport.ts';
import { FakeApiServer } from './fake-api-server.ts';
import { ManualClock } from './manual-clock.ts';
import { CONFIG_MAPS, configMap, FixedCredentials } from './rig.ts';

const clock = new ManualClock();
const server = new FakeApiServer({ clock });
await server.start();
server.put(CONFIG_MAPS, configMap('a', '1'));
const access = { server: server.url, tls: { rejectUnauthorized: true }, headers: {}, proxyUrl: null };
new Reflector({
  type: CONFIG_MAPS,
  transport: new UndiciTransport(new FixedCredentials(access), clock),
  clock,
  random: Math.random,
  log: { info: () => {}, warn: () => {} },
  onChange: () => {
    throw new Error('a bug of ours');
  },
}).start();
