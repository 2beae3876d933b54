/**
 * How the API server writes an amount of a resource, whatever way it was written: what is applied must be what is
 * stored. Numbers that are in order except for a sign or leading zeros it leaves as they are; they are written in the
 * one way here as well.
 */

const SYNTAX = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?$/;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
/** From 10⁻⁹ in steps of a thousand. */
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
/** Nothing is set aside in smaller pieces. */
const MILLI = 1000n;
const MILLI_STEP = DECIMAL.indexOf('m');
const UNIT_STEP = DECIMAL.indexOf('');

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

  const power = exponent === undefined ? 3 * (DECIMAL.indexOf(decimal ?? '') - UNIT_STEP) : Number(exponent);
  const factor = binary === undefined ? 1n : 1024n ** BigInt(BINARY.indexOf(binary));
  const size = scaled(BigInt(whole + fraction) * factor, 3 + power - fraction.length);
  if (size === 0n) return '0';

  const isBinary = binary !== undefined && size >= 1024n * MILLI && size % MILLI === 0n;
  const minus = sign === '-' ? '-' : '';
  if (isBinary) {
    const [digits, steps] = divided(size / MILLI, 1024n, BINARY.length - 1);
    return `${minus}${digits}${BINARY[steps]}`;
  }
  const [digits, steps] = divided(size, 1000n, DECIMAL.length - 1 - MILLI_STEP);
  const step = MILLI_STEP + steps;
  if (exponent === undefined) return `${minus}${digits}${DECIMAL[step]}`;
  return step === UNIT_STEP ? `${minus}${digits}` : `${minus}${digits}e${3 * (step - UNIT_STEP)}`;
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
