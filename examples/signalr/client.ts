/**
 * Talks to the hub through the gateway, with the SignalR client as it comes from npm.
 *
 *   node examples/signalr/client.ts [NAME] [WebSockets|ServerSentEvents|LongPolling]
 *
 *   URL   where the hub is (default: http://localhost:8081/chat)
 */
import { readFileSync } from 'node:fs';
import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { SignJWT } from 'jose';
import { parse } from 'yaml';

const [name = 'Ada', transport = 'WebSockets'] = process.argv.slice(2);
const url = process.env.URL ?? 'http://localhost:8081/chat';
if (!(transport in HttpTransportType)) throw new Error(`There is no transport ${transport}`);

// In real life a service of yours mints the token after somebody signed in.
const secret = parse(readFileSync(new URL('signing-key.yaml', import.meta.url), 'utf8')) as {
  stringData: { key: string };
};
const accessTokenFactory = (): Promise<string> =>
  new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(name)
    .setAudience('signalr-example')
    .setExpirationTime('5 minutes')
    .sign(new TextEncoder().encode(secret.stringData.key));

const connection = new HubConnectionBuilder()
  .withUrl(url, {
    accessTokenFactory,
    transport: HttpTransportType[transport as keyof typeof HttpTransportType],
  })
  .configureLogging(LogLevel.Warning)
  .build();

connection.on('said', (who: string, text: string) => console.log(`${who}: ${text}`));
await connection.start();
console.log(`Connected as ${name} by ${transport}`);

await connection.invoke('say', name, 'Hello from the other side of the gateway');
await new Promise<void>((resolve, reject) => {
  connection
    .stream<number>('countdown', 3)
    .subscribe({ next: (left) => console.log(left), complete: resolve, error: reject });
});
await connection.stop();
