/** Measures authentication: `node proxy/authentication/authenticator.bench.ts`. Prints microseconds a request. */
import {
  authentication,
  authenticator,
  bearer,
  claims,
  ed25519,
  hmacToken,
  inline,
  jwk,
  jwks,
  p256,
  provider,
  request,
  rsa,
  signedToken,
} from './test-support.ts';

const keys = inline(jwks(jwk(rsa.publicKey), jwk(p256.publicKey), jwk(ed25519.publicKey)));
const config = authentication({
  providers: [provider({ issuer: 'a' }), provider({ algorithms: ['RS256', 'ES256', 'EdDSA'], keys })],
});
const { under } = authenticator(config, { maxPending: 100_000 });

const COUNT = 2_000;
const makes: Record<string, (jti: number) => string> = {
  HS256: (jti) => hmacToken(claims({ iss: 'a', jti })),
  RS256: (jti) => signedToken(claims({ jti }), rsa.privateKey, 'RS256'),
  ES256: (jti) => signedToken(claims({ jti }), p256.privateKey, 'ES256'),
  EdDSA: (jti) => signedToken(claims({ jti }), ed25519.privateKey, 'EdDSA'),
};

for (const [name, make] of Object.entries(makes)) {
  await under.authenticate(config.id, bearer(make(-1)));
  const views = Array.from({ length: COUNT }, (_, jti) => bearer(make(jti)));
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await Promise.all(views.map((view) => under.authenticate(config.id, view)));
  const { user, system } = process.cpuUsage(cpu);
  report(`${name}, first time`, startMs, COUNT, (user + system) / COUNT);
}

const views = [
  bearer(hmacToken(claims({ iss: 'a' }))),
  request({}, `id=1&access_token=${hmacToken(claims({ iss: 'a' }))}`),
];
for (const view of views) {
  await under.authenticate(config.id, view);
  for (let n = 0; n < 100_000; n++) under.authenticate(config.id, view);
  const startMs = performance.now();
  for (let n = 0; n < 500_000; n++) under.authenticate(config.id, view);
  report(view.query === '' ? 'from memory, header' : 'from memory, query', startMs, 500_000);
}

function report(name: string, startMs: number, count: number, cpuMicros?: number): void {
  const micros = ((performance.now() - startMs) * 1000) / count;
  console.log(
    `${name}: ${micros.toFixed(2)} us${cpuMicros === undefined ? '' : `, CPU ${cpuMicros.toFixed(0)} us`}`,
  );
}
