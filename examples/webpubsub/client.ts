/**
 * Talks to the hub through the gateway, with the Azure Web PubSub client and its token service as they come from npm.
 *
 *   node examples/webpubsub/client.ts [NAME]
 *
 *   ENDPOINT   where the gateway is (default: http://localhost:8082)
 */
import { readFileSync } from 'node:fs';
import { WebPubSubServiceClient } from '@azure/web-pubsub';
import { WebPubSubClient, WebPubSubJsonProtocol } from '@azure/web-pubsub-client';
import { parse } from 'yaml';

const [name = 'Ada'] = process.argv.slice(2);
const endpoint = new URL(process.env.ENDPOINT ?? 'http://localhost:8082');
const secret = parse(readFileSync(new URL('signing-key.yaml', import.meta.url), 'utf8')) as {
  stringData: { key: string };
};

// In real life a service of yours holds the connection string, and mints a token after somebody signed in.
const service = new WebPubSubServiceClient(
  `Endpoint=${endpoint.protocol}//${endpoint.hostname};Port=${endpoint.port};AccessKey=${secret.stringData.key};Version=1.0;`,
  'chat',
  { allowInsecureConnection: true },
);
const client = new WebPubSubClient(
  {
    getClientAccessUrl: async () => {
      const roles = ['webpubsub.joinLeaveGroup', 'webpubsub.sendToGroup'];
      return (await service.getClientAccessToken({ userId: name, roles })).url;
    },
  },
  { protocol: WebPubSubJsonProtocol() },
);

client.on('connected', ({ connectionId, userId }) => console.log(`Connected as ${userId}: ${connectionId}`));
client.on('group-message', ({ message }) =>
  console.log(`${message.fromUserId} to ${message.group}: ${message.data}`),
);
const answered = new Promise<void>((resolve) => {
  client.on('server-message', ({ message }) => {
    console.log(message.data);
    resolve();
  });
});

await client.start();
await client.joinGroup('lobby');
await client.sendToGroup('lobby', 'Hello from the other side of the gateway', 'text');
await client.sendEvent('wave', { hands: 2 }, 'json');
await answered;
client.stop();
// The client's timers would keep the process for a while.
process.exit();
