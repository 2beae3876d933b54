import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WebPubSubServiceClient } from '@azure/web-pubsub';
import {
  type OnGroupDataMessageArgs,
  WebPubSubClient,
  WebPubSubJsonProtocol,
} from '@azure/web-pubsub-client';
import { PubSubServer } from '../../examples/webpubsub/hub/server.ts';
import { secret } from '../support/gateway.ts';
import { type Front, ways } from '../support/ways.ts';

const ACCESS_KEY = 'an access key of a connection string, for tests';
const ROLES = ['webpubsub.joinLeaveGroup', 'webpubsub.sendToGroup'];
const FORBIDDEN = 'The token lacks the role webpubsub.joinLeaveGroup';
const MAX_PER_USER = 3;

for (const way of ways) {
  describe(`Azure Web PubSub, ${way.name}`, () => {
    let hub: PubSubServer;
    let front: Front | undefined;

    before(async () => {
      hub = await PubSubServer.start({ hub: 'test', onEvent: (event, data) => ({ event, data }) });
      front = await way.open([hub.port], {
        gateway: {
          authentication: {
            jwt: {
              providers: [{ name: 'service', keys: { secretRef: { name: 'access-key', key: 'key' } } }],
              from: [{ query: 'access_token' }],
            },
          },
        },
        resources: [secret('access-key', { key: ACCESS_KEY })],
        rules: { clientConnectionCountRules: [{ type: 'ThrottleByUserIdRule', maxCount: MAX_PER_USER }] },
      });
    });
    after(async () => {
      await front?.[Symbol.asyncDispose]();
      await hub.close();
    });

    const client = (userId: string, accessKey = ACCESS_KEY): WebPubSubClient => {
      const connectionString = `Endpoint=http://127.0.0.1;Port=${front!.port};AccessKey=${accessKey};Version=1.0;`;
      const service = new WebPubSubServiceClient(connectionString, 'test', { allowInsecureConnection: true });
      return new WebPubSubClient(
        {
          getClientAccessUrl: async () =>
            (await service.getClientAccessToken({ userId, roles: userId === 'guest' ? [] : ROLES })).url,
        },
        {
          protocol: WebPubSubJsonProtocol(),
          autoReconnect: false,
          messageRetryOptions: { maxRetries: 0 },
          // Its timers outlive the client.
          keepAliveIntervalInMs: 0,
          keepAliveTimeoutInMs: 0,
        },
      );
    };
    const next = (of: WebPubSubClient): Promise<OnGroupDataMessageArgs['message']> =>
      new Promise((resolve) => of.on('group-message', ({ message }) => resolve(message)));

    test('groups, events and acknowledgements', async () => {
      const ada = client('ada');
      const bob = client('bob');
      try {
        const connected = new Promise<string>((resolve) => ada.on('connected', (e) => resolve(e.userId)));
        await Promise.all([ada.start(), bob.start()]);
        assert.equal(await connected, 'ada');
        await Promise.all([ada.joinGroup('lobby'), bob.joinGroup('lobby')]);
        const received = next(bob);
        await ada.sendToGroup('lobby', { hello: 'wörld' }, 'json', { noEcho: true });
        const { fromUserId, group, data } = await received;
        assert.deepEqual([fromUserId, group, data], ['ada', 'lobby', { hello: 'wörld' }]);
        const answer = new Promise((resolve) => ada.on('server-message', (e) => resolve(e.message.data)));
        await ada.sendEvent('ask', 'what', 'text');
        assert.deepEqual(await answer, { event: 'ask', data: 'what' });
      } finally {
        ada.stop();
        bob.stop();
      }
    });

    test('binary data and a token without roles', async () => {
      const ada = client('ada');
      const guest = client('guest');
      try {
        await Promise.all([ada.start(), guest.start()]);
        await assert.rejects(guest.joinGroup('lobby'), {
          errorDetail: { name: 'Forbidden', message: FORBIDDEN },
        });
        await ada.joinGroup('bytes');
        const received = next(ada);
        await ada.sendToGroup('bytes', new Uint8Array([0, 255, 128]).buffer, 'binary');
        assert.deepEqual(new Uint8Array((await received).data as ArrayBuffer), new Uint8Array([0, 255, 128]));
      } finally {
        ada.stop();
        guest.stop();
      }
    });

    if (way.balances) {
      test('a token with another signature is refused', async () => {
        await assert.rejects(client('mallory', 'another access key').start(), /401/);
      });

      test('a user has no more connections than the rule allows', async () => {
        const clients = Array.from({ length: MAX_PER_USER }, () => client('eve'));
        try {
          await Promise.all(clients.map((c) => c.start()));
          await assert.rejects(client('eve').start(), /429/);
        } finally {
          for (const c of clients) c.stop();
        }
      });
    }
  });
}
