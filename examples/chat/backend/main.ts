/**
 * Runs the chat backend on its own.
 *
 *   PORT, HOST         where to listen   (default: 9443 on 127.0.0.1)
 *   CHAT_SIGNING_KEY   what signs tokens (default: the demo key of ../signing-key.yaml)
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { startChatBackend } from './server.ts';

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const signingKey =
  process.env.CHAT_SIGNING_KEY ??
  (parse(read('../signing-key.yaml')) as { stringData: { key: string } }).stringData.key;

const backend = await startChatBackend({
  port: Number(process.env.PORT ?? 9443),
  host: process.env.HOST ?? '127.0.0.1',
  signingKey,
  certificate: read('demo-tls.crt'),
  key: read('demo-tls.key'),
});
console.log(`The chat backend listens on port ${backend.port}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void backend.close().then(() => process.exit(0)));
}
// Started by another process, it says when it is ready, and goes when that one goes, however that comes about.
if (process.connected) {
  process.send?.('ready');
  process.once('disconnect', () => void backend.close().then(() => process.exit(0)));
}
