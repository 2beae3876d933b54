/** Runs the echo backend on its own, in a pod: PORT, HOST, NAME. */
import { hostname } from 'node:os';
import { startEchoBackend } from './echo.ts';

const backend = await startEchoBackend({
  host: process.env.HOST ?? '::',
  port: Number(process.env.PORT ?? 8080),
  name: process.env.NAME ?? hostname(),
});
console.log(`The echo backend listens on port ${backend.port}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void backend.close().then(() => process.exit(0)));
}
