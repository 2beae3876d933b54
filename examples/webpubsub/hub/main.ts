/**
 * Runs the hub: `node examples/webpubsub/hub/main.ts`
 *
 *   PORT, HOST   where to listen (default: 9011 on 127.0.0.1)
 */
import { PubSubServer } from './server.ts';

const hub = await PubSubServer.start({
  hub: 'chat',
  port: Number(process.env.PORT ?? 9011),
  host: process.env.HOST ?? '127.0.0.1',
  onEvent: (event, data) => `The hub got the event ${event} with ${JSON.stringify(data)}`,
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
