/**
 * Regular expressions of routes: RE2 syntax, matching the whole text, in time linear in the text.
 *
 * A route's pattern runs against what any client sends, so it must not be able to take long. JavaScript's own
 * regular expressions can (`(a+)+`, and even `.*a.*b.*c` over a long header), whatever is refused beforehand. So
 * these are run by an automaton of our own, as RE2 does it; what no automaton can do (backreferences, lookaround) is
 * refused.
 */
import { Automaton } from './pattern-automaton.ts';
import { PatternError, parsePattern } from './pattern-syntax.ts';

export interface Pattern {
  /** Whether the whole text matches. */
  matches(text: string): boolean;
}

export type CompiledPattern =
  | { readonly ok: true; readonly pattern: Pattern }
  /** For the author of the pattern: what was found where, and what is expected. */
  | { readonly ok: false; readonly reason: string };

export const MAX_PATTERN_LENGTH = 1024;

/** Compiles a pattern; what it cannot do, it says in words. */
export function compilePattern(text: string): CompiledPattern {
  if (text.length > MAX_PATTERN_LENGTH) {
    return { ok: false, reason: `found ${text.length} characters, expected at most ${MAX_PATTERN_LENGTH}` };
  }
  try {
    return { ok: true, pattern: new Automaton(parsePattern(text)) };
  } catch (error) {
    if (error instanceof PatternError) return { ok: false, reason: error.message };
    throw error;
  }
}
