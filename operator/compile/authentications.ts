import type { Authentication, JwtProvider, TokenSource } from '../../proxy/config/snapshot.ts';
import type { EdgeGateway, FieldPath } from '../resources/index.ts';
import { withDefaults } from '../resources/index.ts';
import { fitAlgorithms, readJwks, readVerificationKey, type VerificationKeys } from './jwt-keys.ts';
import type { GatewayResource, Objects, SecretResource } from './objects.ts';
import type { Report } from './report.ts';
import { dataOf, keysOf } from './secrets.ts';

type WrittenAuthentication = NonNullable<EdgeGateway['spec']['authentication']>;
type WrittenJwt = NonNullable<WrittenAuthentication['jwt']>;
type WrittenProvider = WrittenJwt['providers'][number];
type WrittenSource = NonNullable<WrittenJwt['from']>[number];

/** Fewer bytes than HMAC with SHA-256 asks for (RFC 7518, section 3.2). */
const SHORT_SECRET_BYTES = 32;

/** The fields of the same shape at the gateway and at a route. */
const JWT = 'EdgeGateway.spec.authentication.jwt';
const PROVIDER = `${JWT}.providers[]` as const;

/**
 * One authentication, of a gateway or of a route; `null` where nobody is asked who they are.
 *
 * A provider whose keys cannot be had is left out. One without any provider left stays and refuses every
 * token: leaving it out would open what it was to protect.
 */
export function compileAuthentication(
  id: string,
  written: WrittenAuthentication | undefined,
  gateway: GatewayResource,
  path: FieldPath,
  objects: Objects,
  report: Report,
): Authentication | null {
  if (written?.jwt === undefined) return null;
  const jwt = withDefaults(JWT, written.jwt);
  const providers: JwtProvider[] = [];
  for (const [index, provider] of jwt.providers.entries()) {
    const compiled = compileProvider(
      provider,
      gateway,
      [...path, 'jwt', 'providers', index],
      objects,
      report,
    );
    if (compiled !== null) providers.push(compiled);
  }
  if (providers.length === 0) {
    report.error(gateway, [...path, 'jwt', 'providers'], 'NoValidProvider', {
      message: 'every token is refused with 401, since no provider has usable keys',
      found: 'no usable provider',
      expected: 'at least one',
    });
  }
  return { id, providers, from: jwt.from.map(compileSource), userIdClaim: jwt.userIdClaim };
}

function compileSource(source: WrittenSource): TokenSource {
  if (source.query !== undefined) return { in: 'query', name: source.query };
  if (source.cookie !== undefined) return { in: 'cookie', name: source.cookie };
  const { header = 'Authorization', prefix } = withDefaults(`${JWT}.from[]`, source);
  return { in: 'header', name: header, prefix };
}

function compileProvider(
  written: WrittenProvider,
  gateway: GatewayResource,
  path: FieldPath,
  objects: Objects,
  report: Report,
): JwtProvider | null {
  const keys = compileKeys(written, gateway, [...path, 'keys'], objects, report);
  if (keys === null) return null;
  const { algorithms, unfit } = fitAlgorithms(written.algorithms ?? [], keys.families);
  if (unfit.length > 0) {
    report.error(gateway, [...path, 'algorithms'], 'InvalidKeys', {
      message:
        algorithms.length === 0
          ? 'this provider is left out'
          : 'the algorithms that do not fit the keys are left out',
      found: unfit.join(', '),
      expected: `algorithms for the keys that are there (${keys.families.join(', ')})`,
    });
  }
  if (algorithms.length === 0) return null;
  const { clockToleranceSeconds } = withDefaults(PROVIDER, written);
  return {
    name: written.name,
    issuer: written.issuer ?? null,
    audiences: [...new Set(written.audiences)].sort(),
    algorithms,
    keys: keys.keys,
    clockToleranceSeconds,
  };
}

function compileKeys(
  { keys }: WrittenProvider,
  gateway: GatewayResource,
  path: FieldPath,
  objects: Objects,
  report: Report,
): VerificationKeys | null {
  const invalid = (at: FieldPath, found: string, expected: string): null => {
    report.error(gateway, at, 'InvalidKeys', {
      message: 'this provider is left out, since its keys cannot be used',
      found,
      expected,
    });
    return null;
  };
  if (keys.secretRef !== undefined) {
    const at = [...path, 'secretRef'];
    const bytes = lookUp(keys.secretRef, gateway, at, objects, report);
    if (bytes === null) return null;
    const { encoding } = withDefaults(`${PROVIDER}.keys.secretRef`, keys.secretRef);
    const read = readVerificationKey(bytes, encoding);
    if ('problem' in read) return invalid(at, read.problem, read.expected);
    if (read.secretBytes !== null && read.secretBytes < SHORT_SECRET_BYTES) {
      report.warning(gateway, at, 'WeakKey', {
        message: 'a short secret can be guessed from a token',
        found: `${read.secretBytes} bytes`,
        expected: `at least ${SHORT_SECRET_BYTES} bytes`,
      });
    }
    return read;
  }
  const { uri, inline, secretRef } = keys.jwks ?? {};
  if (uri !== undefined) {
    return { keys: { type: 'JwksUri', uri }, families: ['RS', 'PS', 'ES', 'EdDSA'], secretBytes: null };
  }
  const at = [...path, 'jwks', inline === undefined ? 'secretRef' : 'inline'];
  const text = inline ?? (secretRef && lookUp(secretRef, gateway, at, objects, report)?.toString('utf8'));
  if (text === undefined) return null;
  const read = readJwks(text);
  return 'problem' in read ? invalid(at, read.problem, read.expected) : read;
}

function lookUp(
  ref: { readonly name: string; readonly key: string },
  gateway: GatewayResource,
  path: FieldPath,
  objects: Objects,
  report: Report,
): Buffer | null {
  const id = `${gateway.namespace}/${ref.name}`;
  const secret: SecretResource | undefined = objects.secrets.get(id);
  const bytes = secret && dataOf(secret, ref.key);
  if (bytes !== undefined) return bytes;
  report.error(gateway, path, 'SecretNotFound', {
    message: 'this provider is left out, since its keys are not there',
    found:
      secret === undefined
        ? objects.describeMissing('Secret', id)
        : `Secret ${id} with ${keysOf(secret).join(', ') || 'no keys'}`,
    expected: `Secret ${id} with the key ${ref.key}`,
  });
  return null;
}
