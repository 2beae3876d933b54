/** "Did you mean": the known word that is nearest to a misspelt one. */

/**
 * The candidate that a writer most likely meant: equal but for case, or at most a third of the letters
 * away, or the only one that goes on after the word, as `intervalSeconds` after `interval`. Undefined when none is near.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  // Nobody misspells a word of this length by accident, and the table below would grow with it.
  if (word.length > 64) return undefined;
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const other = candidate.toLowerCase();
    if (Math.abs(other.length - lower.length) >= bestDistance) continue;
    const distance = editDistance(lower, other);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? onlyContinuation(lower, candidates);
}

function onlyContinuation(lower: string, candidates: Iterable<string>): string | undefined {
  // Fewer letters begin too many words.
  if (lower.length < 4) return undefined;
  const longer = [...candidates].filter((candidate) => candidate.toLowerCase().startsWith(lower));
  return longer.length === 1 ? longer[0] : undefined;
}

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours count 1 each. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let distance = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, beforeLast[j - 2]! + 1);
      }
      row.push(distance);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
