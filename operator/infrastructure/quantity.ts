/** How the API server writes a quantity, whatever way it was written: what is applied must be what is stored. */

const SYNTAX = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?$/;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
/** From 10⁻⁹ in steps of a thousand. */
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const NANO = 1_000_000_000n;

/**
 * @example
 * ```ts
 * canonicalQuantity('1000m'); // '1'
 * canonicalQuantity('1.5Gi'); // '1536Mi'
 * ```
 *
 * @returns what is no quantity as it is: the API server refuses it, with a reason
 */
export function canonicalQuantity(written: string | number): string {
  const match = SYNTAX.exec(String(written));
  const [, sign, whole = '', fraction = '', binary, decimal, exponent] = match ?? [];
  if (match === null || whole + fraction === '') return String(written);

  const power = exponent === undefined ? 3 * (DECIMAL.indexOf(decimal ?? '') - 3) : Number(exponent);
  const factor = binary === undefined ? 1n : 1024n ** BigInt(BINARY.indexOf(binary));
  const size = scaled(BigInt(whole + fraction) * factor, 9 + power - fraction.length);
  if (size === 0n) return '0';

  const isBinary = binary !== undefined && size >= 1024n * NANO && size % NANO === 0n;
  const [digits, steps] = isBinary ? divided(size / NANO, 1024n, 6) : divided(size, 1000n, 9);
  const minus = sign === '-' ? '-' : '';
  if (isBinary) return `${minus}${digits}${BINARY[steps]}`;
  if (exponent === undefined) return `${minus}${digits}${DECIMAL[steps]}`;
  return steps === 3 ? `${minus}${digits}` : `${minus}${digits}e${3 * (steps - 3)}`;
}

/** Times a power of ten, rounded away from zero. */
function scaled(value: bigint, power: number): bigint {
  if (power >= 0) return value * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (value + divisor - 1n) / divisor;
}

/** Divided as often as nothing is left over, and how often that was. */
function divided(value: bigint, divisor: bigint, most: number): [bigint, number] {
  let steps = 0;
  let rest = value;
  while (steps < most && rest % divisor === 0n) {
    rest /= divisor;
    steps += 1;
  }
  return [rest, steps];
}
