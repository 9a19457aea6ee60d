/**
 * JSON leaves open which of two equal keys of one object counts (RFC 8259, section 4), and JSON.parse takes the last
 * without a word: another reader of the same text (a proxy, a reviewer) may have seen the first.
 */

/** The first key that stands twice in one object of a text that JSON.parse has taken; null: none does. No recursion. */
export function findRepeatedKey(text: string): string | null {
  /** Keys of the objects that are open; null for an array. */
  const open: (Set<string> | null)[] = [];
  let mayBeKey = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const end = endOfString(text, at);
      const keys = mayBeKey ? open.at(-1) : null;
      if (keys) {
        const key = unquote(text.slice(at, end + 1));
        if (keys.has(key)) return key;
        keys.add(key);
      }
      mayBeKey = false;
      at = end;
    } else if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : null);
      mayBeKey = character === "{";
    } else if (character === "}" || character === "]") open.pop();
    else if (character === ",") mayBeKey = open.at(-1) !== null;
  }
  return null;
}

/** Where its closing quote stands: one with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text[before] === "\\") before--;
  return (at - 1 - before) % 2 === 1;
}

/** "a" and "\u0061" are the same key. */
function unquote(quoted: string): string {
  return quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}
