/**
 * Runs the hub: `node examples/signalr/hub/main.ts`
 *
 *   PORT, HOST   where to listen (default: 9001 on 127.0.0.1)
 */
import { setTimeout as delay } from 'node:timers/promises';
import { HubServer } from './server.ts';

const hub = await HubServer.start({
  path: '/chat',
  port: Number(process.env.PORT ?? 9001),
  host: process.env.HOST ?? '127.0.0.1',
  methods: {
    say: (_caller, name: string, text: string) => hub.broadcast('said', name, text),
    async *countdown(_caller, from: number) {
      for (let left = Math.min(from, 100); left > 0; left--) {
        yield left;
        await delay(200);
      }
    },
  },
});
console.log(`The hub listens on port ${hub.port}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void hub.close().then(() => process.exit(0)));
}
// Started by another process, it says when it is ready, and goes when that one goes, however that comes about.
if (process.connected) {
  process.send?.('ready');
  process.once('disconnect', () => void hub.close().then(() => process.exit(0)));
}
