import { runExample } from '../run-example.ts';

await runExample({
  folder: new URL('.', import.meta.url),
  backends: [{ module: new URL('hub/main.ts', import.meta.url) }],
  services: ['webpubsub-hub:9011=127.0.0.1:9011'],
  url: 'http://localhost:8082/client/hubs/chat',
  advice: ['Now run  node examples/webpubsub/client.ts Ada', 'Ctrl-C stops the gateway and the hub.'],
});
