import { runExample } from '../run-example.ts';

await runExample({
  folder: new URL('.', import.meta.url),
  backends: [{ module: new URL('backend/main.ts', import.meta.url) }],
  services: ['chat-backend:9443=127.0.0.1:9443'],
  url: 'http://localhost:8080/api/v1/health',
  advice: [
    'Open  http://localhost:8080/',
    'Sign in, then open two more tabs as the same person: the third is refused.',
    'Ctrl-C stops it.',
  ],
});
