/**
 * Regular expressions that strangers write, of which none can hold the process up: JavaScript's engine tries every way
 * to match, and each open end multiplies them. Anchored on both sides, as Alertmanager's are.
 */

export type ReadPattern =
  | { readonly ok: true; readonly value: RegExp }
  /** What was found and what was expected: `repeats a group, …`. */
  | { readonly ok: false; readonly reason: string };

/** Texts beyond this are no label that anybody writes a pattern for; whoever matches leaves them unmatched. */
export const SUBJECT_MAX = 200;

const LENGTH_MAX = 200;
/** Ways to match a name as long as names are: three open ends. Thousands of alerts are held against each pattern. */
const WAYS_MAX = 200_000;
const NAME_LENGTH = 50;

export function readPattern(text: string): ReadPattern {
  const reason = findUnsafe(text);
  if (reason !== null) return { ok: false, reason };
  try {
    return { ok: true, value: new RegExp(`^(?:${text})$`, "su") };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^.*: /, "") : String(cause);
    return { ok: false, reason: `is no regular expression: ${why.toLowerCase()}` };
  }
}

/** Null: it cannot take long. */
function findUnsafe(text: string): string | null {
  if (text.length > LENGTH_MAX)
    return `has ${text.length} characters, expected at most ${LENGTH_MAX}`;
  // What is escaped or stands in brackets is one character.
  const bare = text
    .replace(/\\(?:\d|k<)/g, "(?")
    .replace(/\\./gs, "x")
    .replace(/\[[^\]]*\]/g, "x");
  if (/\(\?(?!:)/.test(bare)) return "looks around or back, expected groups such as (a|b)";
  const plain = bare.replaceAll("(?:", "(");
  if (/\)[*+?{]/.test(plain)) return "repeats a group, expected * and + after a single character";
  return waysOf(plain) > WAYS_MAX
    ? "has too many ways to match, expected at most three of * and +, and fewer with groups and ?"
    : null;
}

const TOKEN = /[*+?|()]|\{\d*(?:,\d*)?\}/g;

/** Alternatives are tried one after the other; all else, and the groups, at each place of what stands before. */
function waysOf(plain: string): number {
  let [done, ways] = [0, 1];
  const open: number[] = [];
  for (const [token] of plain.matchAll(TOKEN)) {
    if (token === "(") open.push(1);
    else if (token === ")") ways *= open.pop() ?? 1;
    else if (token !== "|") ways *= repeats(token);
    else if (open.length > 0) open[open.length - 1]! += 1;
    else [done, ways] = [done + ways, 1];
  }
  return done + ways;
}

/** How many lengths a repeated character may have. */
function repeats(token: string): number {
  // There or not, at each place; eight of them are as many ways as three open ends.
  if (token === "?") return 4;
  const [, from, comma, to] = /\{(\d*)(,?)(\d*)\}/.exec(token) ?? [];
  if (comma === "" || from === undefined) return comma === "" ? 1 : NAME_LENGTH;
  return to ? Math.min(NAME_LENGTH, Math.max(1, Number(to) - Number(from) + 1)) : NAME_LENGTH;
}
