/** JSON from outside: whatever jsonb cannot hold, or a recursive reader cannot take, is found before anything reads it. */

export interface UnstorableValue {
  /** JSON pointer (RFC 6901) to the value. */
  readonly pointer: string;
  /** One clause: `must not hold the character U+0000`. */
  readonly message: string;
}

/** Deeper than any payload has reason to be, far from what a recursive reader can stand. */
export const DEPTH_MAX = 32;
const FINDINGS_MAX = 20;
/** Keys that turn into something else when an object is copied by assignment. */
export const POISONOUS_KEYS: readonly string[] = ["__proto__", "constructor", "prototype"];

/** Walks without recursion, so that depth cannot hurt it. */
export function findUnstorable(root: unknown): UnstorableValue[] {
  const findings: UnstorableValue[] = [];
  const open: { value: unknown; pointer: string; depth: number }[] = [
    { value: root, pointer: "", depth: 0 },
  ];
  for (let next = open.pop(); next && findings.length < FINDINGS_MAX; next = open.pop()) {
    const { value, pointer, depth } = next;
    const trouble = troubleOf(value, depth);
    if (trouble) {
      findings.push({ pointer, message: trouble });
      continue;
    }
    if (typeof value !== "object" || value === null) continue;
    for (const [key, item] of Object.entries(value)) {
      const place = `${pointer}/${escapePointer(key)}`;
      const keyTrouble = troubleOfKey(key);
      if (keyTrouble) findings.push({ pointer: place, message: keyTrouble });
      else open.push({ value: item, pointer: place, depth: depth + 1 });
    }
  }
  return findings;
}

function troubleOf(value: unknown, depth: number): string | null {
  if (typeof value === "string") return troubleOfText(value);
  if (typeof value === "number" && !Number.isFinite(value)) return "is a number out of range";
  if (typeof value === "object" && depth > DEPTH_MAX) {
    return `is nested deeper than ${DEPTH_MAX} levels`;
  }
  return null;
}

function troubleOfKey(key: string): string | null {
  if (POISONOUS_KEYS.includes(key)) return `must not have a key "${key}"`;
  return troubleOfText(key);
}

function troubleOfText(text: string): string | null {
  if (text.includes("\u0000")) return "must not hold the character U+0000";
  return isWellFormed(text) ? null : "must not hold half of a surrogate pair";
}

/** With the u flag a pair is one character, so only a lone half is a Surrogate. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** RFC 6901, with what could break a terminal shown as an escape. */
function escapePointer(key: string): string {
  const shown = key.slice(0, 100).replace(/~/g, "~0").replace(/\//g, "~1");
  return JSON.stringify(shown).slice(1, -1);
}
