/**
 * Regular expressions that strangers write, of which none can hold the process up: JavaScript's engine goes back over
 * the text, and a repeated group or four open ends take it seconds. Anchored on both sides, as Alertmanager's are.
 */

export type ReadPattern =
  | { readonly ok: true; readonly value: RegExp }
  /** What was found and what was expected. */
  | { readonly ok: false; readonly reason: string };

const LENGTH_MAX = 200;
/** In one alternative; on a text of 1,000 characters four of them are a trillion steps. */
const OPEN_ENDS_MAX = 3;
/** `a{1,1000}` is a thousand times its letter. */
const REPEAT_MAX = 100;

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
  // What is escaped or stands in brackets means itself.
  const bare = text
    .replace(/\\(\d|k<)/g, "(?")
    .replace(/\\./gs, "x")
    .replace(/\[[^\]]*\]/g, "x");
  if (/\(\?(?!:)/.test(bare)) return "looks around or back, expected groups such as (a|b)";
  if (/\)[*+?{]/.test(bare)) return "repeats a group, expected * and + after a single character";
  if (maxRepeat(bare) > REPEAT_MAX) return `repeats more than ${REPEAT_MAX} times`;
  const most = Math.max(...bare.split("|").map(openEnds));
  return most > OPEN_ENDS_MAX
    ? `has ${most} open ends such as .*, expected at most ${OPEN_ENDS_MAX} in one alternative`
    : null;
}

function openEnds(alternative: string): number {
  return [...alternative.matchAll(/[*+]|\{\d*,\d*\}/g)].length;
}

function maxRepeat(text: string): number {
  const counts = [...text.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].flatMap(([, from, to]) => [from, to]);
  return Math.max(0, ...counts.map(Number).filter((count) => !Number.isNaN(count)));
}
