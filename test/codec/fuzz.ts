import { parseArgs } from 'node:util';
import { parseWithCodec } from './codec-stream.ts';
import { compare } from './compare.ts';
import { type FuzzCase, generate } from './generate.ts';
import { parseWithLlhttp } from './llhttp-stream.ts';
import type { ParsedStream } from './parsed.ts';
import { Random } from './random.ts';

export interface FuzzResult {
  readonly iterations: number;
  readonly acceptedMessages: number;
  /** Cases by the error that our codec ended with. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly failures: readonly { readonly fuzzCase: FuzzCase; readonly problem: string }[];
}

/**
 * Compares our codec with llhttp on random streams: in one piece, and the same bytes in random pieces.
 * @param maxFailures after so many the run ends
 */
export function fuzz(seed: number, iterations: number, maxFailures = 1, deadlineMs = Infinity): FuzzResult {
  const random = new Random(seed);
  const refusals = new Map<string, number>();
  const failures: { fuzzCase: FuzzCase; problem: string }[] = [];
  let acceptedMessages = 0;
  let i = 0;
  for (; i < iterations && failures.length < maxFailures; i++) {
    if (i % 1024 === 0 && performance.now() > deadlineMs) break;
    const fuzzCase = generate(random);
    const { problem, error, messages } = check(fuzzCase, random);
    acceptedMessages += messages;
    if (error !== null) refusals.set(error, (refusals.get(error) ?? 0) + 1);
    if (problem !== null) failures.push({ fuzzCase, problem });
  }
  return { iterations: i, acceptedMessages, refusals, failures };
}

/** Runs one case. */
export function check(
  { kind, requestMethod, bytes }: FuzzCase,
  random: Random,
): { problem: string | null; error: string | null; messages: number } {
  const ours = parseWithCodec(kind, bytes, requestMethod);
  let problem = compare(ours, parseWithLlhttp(kind, bytes, requestMethod));
  if (problem === null) {
    const cuts = randomCuts(random, bytes.length);
    const pieces = parseWithCodec(kind, bytes, requestMethod, cuts);
    if (comparable(pieces) !== comparable(ours)) problem = `cut at ${cuts.join(', ')}: another result`;
  }
  return { problem, error: ours.error, messages: ours.messages.filter(({ complete }) => complete).length };
}

/** Without what came of a body before it turned out to be invalid: that depends on the pieces. */
function comparable({ messages, error }: ParsedStream): string {
  return JSON.stringify({
    error,
    messages: messages.map((message) =>
      message.complete || error === null ? message : { ...message, body: '' },
    ),
  });
}

function randomCuts(random: Random, length: number): number[] {
  if (random.oneIn(8)) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: 1 + random.below(4) }, () => random.below(length + 1)).sort((a, b) => a - b);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      iterations: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      failures: { type: 'string', default: '5' },
    },
  });
  const seed = Number(values.seed);
  console.log(`seed ${seed}`);
  const result = fuzz(seed, Number(values.iterations), Number(values.failures));
  for (const { fuzzCase, problem } of result.failures) {
    console.log(problem);
    console.log(
      `  ${fuzzCase.kind} ${fuzzCase.requestMethod} ${JSON.stringify(fuzzCase.bytes.toString('latin1'))}`,
    );
  }
  console.log(`${result.iterations} cases, ${result.acceptedMessages} messages accepted, refused by reason:`);
  for (const [code, count] of [...result.refusals].sort((a, b) => b[1] - a[1]))
    console.log(`  ${code} ${count}`);
  process.exitCode = result.failures.length > 0 ? 1 : 0;
}

if (import.meta.main) main();
