import type { Pattern } from './pattern.ts';
import { type CharacterSet, PatternError, type PatternNode } from './pattern-syntax.ts';

/**
 * Runs a pattern: a nondeterministic automaton (Thompson's construction) whose sets of states are turned into the
 * states of a deterministic one as texts ask for them. One table access for each character of a text once the states
 * are there, at worst one pass over the instructions; never more, whatever the pattern and the text.
 */

const SPLIT = 0;
const SET = 1;
const START = 2;
const END = 3;
const ACCEPT = 4;

interface Instruction {
  op: typeof SPLIT | typeof SET | typeof START | typeof END | typeof ACCEPT;
  /** Of SPLIT only one or both; -1 where there is none. */
  next: number;
  other: number;
  set: CharacterSet;
}

/** Bounds what one pattern may cost for each character. Counted repetitions are written out, so they cost most. */
const MAX_INSTRUCTIONS = 5000;
/** Deterministic states are forgotten and begun anew above this: bounds memory. */
const MAX_STATES = 500;

const UNKNOWN = -1;
const DEAD = -2;

export class Automaton implements Pattern {
  readonly #program: Instruction[] = [];
  /**
   * First code unit of each class, ascending: the code units from one to the next behave the same in every set of
   * the pattern.
   */
  readonly #classStarts: readonly number[];
  /** Class of the code units that texts consist of as a rule. */
  readonly #latin1Classes = new Uint16Array(256);
  readonly #start: readonly number[];
  /** State of `#start`; `UNKNOWN` when it is not there. */
  #startState = UNKNOWN;
  /** Sets of instructions, by state. */
  #states: (readonly number[])[] = [];
  #accepting: boolean[] = [];
  #transitions: Int32Array[] = [];
  readonly #byKey = new Map<string, number>();

  constructor(tree: PatternNode) {
    const accept = this.#emit(ACCEPT);
    const entry = this.#build(tree, accept);
    this.#classStarts = this.#classify();
    for (let code = 0; code < 256; code++) this.#latin1Classes[code] = this.#findClass(code);
    this.#start = this.#closure([entry], true, false);
  }

  matches(text: string): boolean {
    if (this.#startState === UNKNOWN) this.#startState = this.#stateOf(this.#start);
    let state = this.#startState;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const symbol = code < 256 ? this.#latin1Classes[code]! : this.#findClass(code);
      let next = this.#transitions[state]![symbol]!;
      if (next === UNKNOWN) next = this.#step(state, symbol);
      if (next === DEAD) return false;
      state = next;
    }
    // An empty text is at its start and its end at once: both assertions hold.
    return text.length === 0 ? this.#acceptsAtEnd(this.#start, true) : this.#accepting[state]!;
  }

  #emit(op: Instruction['op'], next = -1, other = -1, set: CharacterSet = []): number {
    if (this.#program.length >= MAX_INSTRUCTIONS) {
      throw new PatternError('found a pattern that is too large once its repetitions are written out');
    }
    this.#program.push({ op, next, other, set });
    return this.#program.length - 1;
  }

  /** Instructions for a node that continue at `next`; gives their entry. */
  #build(node: PatternNode, next: number): number {
    switch (node.kind) {
      case 'empty':
        return next;
      case 'start':
        return this.#emit(START, next);
      case 'end':
        return this.#emit(END, next);
      case 'set':
        return this.#emit(SET, next, -1, node.set);
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.#build(part, after), next);
      case 'choice':
        return node.parts
          .map((part) => this.#build(part, next))
          .reduceRight((other, entry) => this.#emit(SPLIT, entry, other));
      case 'repeat': {
        let entry = next;
        if (node.max === Number.POSITIVE_INFINITY) {
          const loop = this.#emit(SPLIT, -1, next);
          this.#program[loop]!.next = this.#build(node.part, loop);
          entry = loop;
        } else {
          for (let i = node.min; i < node.max; i++)
            entry = this.#emit(SPLIT, this.#build(node.part, entry), next);
        }
        for (let i = 0; i < node.min; i++) entry = this.#build(node.part, entry);
        return entry;
      }
    }
  }

  /** Cuts the code units into classes at the bounds of all sets. */
  #classify(): number[] {
    const starts = new Set([0]);
    for (const { set } of this.#program) {
      for (const [from, to] of set) starts.add(from).add(to + 1);
    }
    return [...starts].sort((a, b) => a - b);
  }

  #findClass(code: number): number {
    let low = 0;
    let high = this.#classStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#classStarts[middle]! <= code) low = middle;
      else high = middle;
    }
    return low;
  }

  /** All instructions that are reached without reading; only those that read, accept or wait for the end. */
  #closure(entries: readonly number[], atStart: boolean, atEnd: boolean): readonly number[] {
    const seen = new Set<number>();
    const kept: number[] = [];
    const open = [...entries];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (at < 0 || seen.has(at)) continue;
      seen.add(at);
      const { op, next, other } = this.#program[at]!;
      if (op === SPLIT) open.push(other, next);
      else if (op === START) {
        if (atStart) open.push(next);
      } else if (op === END && atEnd) open.push(next);
      else kept.push(at);
    }
    return kept.sort((a, b) => a - b);
  }

  #acceptsAtEnd(set: readonly number[], atStart: boolean): boolean {
    return this.#closure(set, atStart, true).some((at) => this.#program[at]!.op === ACCEPT);
  }

  #stateOf(set: readonly number[]): number {
    const key = set.join();
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#states.length >= MAX_STATES) {
      this.#states = [];
      this.#accepting = [];
      this.#transitions = [];
      this.#byKey.clear();
      this.#startState = UNKNOWN;
    }
    this.#states.push(set);
    this.#accepting.push(this.#acceptsAtEnd(set, false));
    this.#transitions.push(new Int32Array(this.#classStarts.length).fill(UNKNOWN));
    this.#byKey.set(key, this.#states.length - 1);
    return this.#states.length - 1;
  }

  #step(state: number, symbol: number): number {
    const sample = this.#classStarts[symbol]!;
    const entries: number[] = [];
    for (const at of this.#states[state]!) {
      const { op, next, set } = this.#program[at]!;
      if (op === SET && contains(set, sample)) entries.push(next);
    }
    const transitions = this.#transitions[state]!;
    const set = this.#closure(entries, false, false);
    const next = set.length === 0 ? DEAD : this.#stateOf(set);
    // Harmless where the states were begun anew: the old row belongs to nobody then.
    transitions[symbol] = next;
    return next;
  }
}

function contains(set: CharacterSet, code: number): boolean {
  for (const [from, to] of set) if (code >= from && code <= to) return true;
  return false;
}
