import { runExample } from '../run-example.ts';

const module = new URL('hub/main.ts', import.meta.url);

await runExample({
  folder: new URL('.', import.meta.url),
  backends: [
    { module, env: { PORT: '9001' } },
    { module, env: { PORT: '9002' } },
  ],
  services: ['signalr-hub:9001=127.0.0.1:9001', 'signalr-hub:9001=127.0.0.1:9002'],
  url: 'http://localhost:8081/chat',
  advice: ['Now run  node examples/signalr/client.ts Ada', 'Ctrl-C stops the gateway and both hubs.'],
});
