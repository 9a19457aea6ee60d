/** "Did you mean …?": the nearest known names to a mistyped one. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length]!;
}

/** Up to `most` names near enough to be a slip of the finger, nearest first. */
export function similarNames(wrong: string, known: Iterable<string>, most = 3): string[] {
  const typed = wrong.slice(0, 100).toLowerCase();
  const limit = Math.max(2, Math.floor(typed.length / 3));
  const near = [...known]
    .map((name) => ({ name, score: score(typed, name.toLowerCase()) }))
    .filter(({ score }) => score <= limit)
    .sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1));
  // Only the nearest: a worse guess beside a good one is noise.
  return near
    .filter(({ score }) => score === near[0]?.score)
    .slice(0, most)
    .map(({ name }) => name);
}

function score(typed: string, name: string): number {
  if (typed.length >= 3 && (name.startsWith(typed) || name.endsWith(`-${typed}`))) return 1;
  return distance(typed, name);
}

/** A hint sentence, or undefined when nothing is near. */
export function didYouMean(wrong: string, known: Iterable<string>): string | undefined {
  const near = similarNames(wrong, known);
  return near.length === 0
    ? undefined
    : `did you mean ${near.map((name) => `"${name}"`).join(" or ")}?`;
}
