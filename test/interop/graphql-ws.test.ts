import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocket, WebSocketServer } from 'ws';
import { closed, listening } from '../support/listening.ts';
import { type Front, ways } from '../support/ways.ts';

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: {
      hello: {
        type: GraphQLString,
        args: { name: { type: new GraphQLNonNull(GraphQLString) } },
        resolve: (_source, { name }: { name: string }) => `Hello, ${name}`,
      },
    },
  }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      count: {
        type: GraphQLInt,
        args: { to: { type: new GraphQLNonNull(GraphQLInt) } },
        async *subscribe(_source, { to }: { to: number }) {
          for (let count = 1; count <= to; count++) yield { count };
        },
      },
    },
  }),
});

for (const way of ways) {
  describe(`graphql-ws, ${way.name}`, () => {
    let http: Server;
    let webSockets: WebSocketServer;
    let front: Front | undefined;
    let client: Client;

    before(async () => {
      http = createServer();
      webSockets = new WebSocketServer({ server: http, path: '/graphql' });
      useServer({ schema }, webSockets);
      front = await way.open([await listening(http)]);
      client = createClient({ url: `${front.wsUrl}/graphql`, webSocketImpl: WebSocket, retryAttempts: 0 });
    });
    after(async () => {
      await client?.dispose();
      await front?.[Symbol.asyncDispose]();
      await closed(http);
    });

    test('a query', async () => {
      const results = [];
      const query = 'query ($name: String!) { hello(name: $name) }';
      for await (const result of client.iterate({ query, variables: { name: 'wörld' } }))
        results.push(result);
      assert.deepEqual(results, [{ data: { hello: 'Hello, wörld' } }]);
    });

    test('subscriptions side by side', async () => {
      const count = async (to: number): Promise<unknown[]> => {
        const results = [];
        for await (const result of client.iterate({ query: `subscription { count(to: ${to}) }` })) {
          results.push((result.data as { count: number }).count);
        }
        return results;
      };
      const upTo = (to: number): number[] => Array.from({ length: to }, (_, i) => i + 1);
      assert.deepEqual(await Promise.all([count(3), count(200), count(50)]), [upTo(3), upTo(200), upTo(50)]);
    });

    test('a subprotocol that the server does not speak is not agreed on', async () => {
      const socket = new WebSocket(`${front!.wsUrl}/graphql`, 'soap');
      const error = await new Promise<Error>((resolve) => socket.on('error', resolve));
      assert.match(error.message, /subprotocol/i);
    });
  });
}
