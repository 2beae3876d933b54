import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { HubServer } from '../../examples/signalr/hub/server.ts';
import { type Front, ways } from '../support/ways.ts';

const TRANSPORTS = {
  WebSockets: HttpTransportType.WebSockets,
  'server-sent events': HttpTransportType.ServerSentEvents,
  'long polling': HttpTransportType.LongPolling,
};
const CLIENTS = 6;

for (const way of ways) {
  describe(`SignalR, ${way.name}`, () => {
    let hubs: HubServer[];
    let front: Front | undefined;

    before(async () => {
      const start = (): Promise<HubServer> => {
        const hub: Promise<HubServer> = HubServer.start({
          path: '/hub',
          methods: {
            echo: (_caller, text: string) => text,
            fail: () => {
              throw new Error('as asked');
            },
            async callAll(_caller, text: string) {
              (await hub).broadcast('called', text);
            },
            async *count(_caller, to: number) {
              for (let i = 1; i <= to; i++) yield i;
            },
          },
        });
        return hub;
      };
      hubs = await Promise.all(way.balances ? [start(), start()] : [start()]);
      front = await way.open(
        hubs.map(({ port }) => port),
        { pool: { affinity: { query: 'id' } } },
      );
    });
    after(async () => {
      await front?.[Symbol.asyncDispose]();
      await Promise.all(hubs.map((hub) => hub.close()));
    });

    const connect = async (transport: HttpTransportType): Promise<HubConnection> => {
      const connection = new HubConnectionBuilder()
        .withUrl(`${front?.url}/hub`, { transport })
        .configureLogging(LogLevel.None)
        .build();
      await connection.start();
      return connection;
    };

    for (const [name, transport] of Object.entries(TRANSPORTS)) {
      test(`${name}: calls, streams and errors`, async () => {
        const connection = await connect(transport);
        try {
          assert.equal(await connection.invoke('echo', 'grüße, 世界 🌍'), 'grüße, 世界 🌍');
          const large = 'x'.repeat(200_000);
          assert.equal(await connection.invoke('echo', large), large);
          await assert.rejects(connection.invoke('fail'), /as asked/);
          const called = new Promise<string>((resolve) => connection.on('called', resolve));
          await connection.send('callAll', 'hello');
          assert.equal(await called, 'hello');
          const items: number[] = [];
          await new Promise<void>((resolve, reject) => {
            connection.stream<number>('count', 50).subscribe({
              next: (item) => items.push(item),
              complete: resolve,
              error: reject,
            });
          });
          assert.deepEqual(
            items,
            Array.from({ length: 50 }, (_, i) => i + 1),
          );
        } finally {
          await connection.stop();
        }
      });

      test(`${name}: each connection stays with its instance, and all instances serve`, async () => {
        const connections: HubConnection[] = [];
        try {
          const perHub = (): number[] => hubs.map((hub) => hub.connections.length);
          // Which instance an id leads to is chance: so many connections all on one would be a rare accident.
          while (connections.length < CLIENTS || (perHub().includes(0) && connections.length < 40)) {
            connections.push(await connect(transport));
          }
          assert.ok(!perHub().includes(0), `connections per instance: ${perHub()}`);
          for (let round = 0; round < 5; round++) {
            const answers = await Promise.all(connections.map((c, i) => c.invoke('echo', `${i}/${round}`)));
            assert.deepEqual(
              answers,
              connections.map((_, i) => `${i}/${round}`),
            );
          }
        } finally {
          await Promise.all(connections.map((connection) => connection.stop()));
        }
      });
    }

    test('a hub that restarts brings its clients back', async () => {
      const connection = new HubConnectionBuilder()
        .withUrl(`${front?.url}/hub`, { transport: HttpTransportType.WebSockets })
        .configureLogging(LogLevel.None)
        .withAutomaticReconnect([0, 0, 0, 100, 100])
        .build();
      await connection.start();
      try {
        const reconnected = new Promise((resolve) => connection.onreconnected(resolve));
        for (const hub of hubs) {
          for (const client of hub.connections) client.close({ allowReconnect: true });
        }
        await reconnected;
        assert.equal(await connection.invoke('echo', 'again'), 'again');
      } finally {
        await connection.stop();
      }
    });
  });
}
