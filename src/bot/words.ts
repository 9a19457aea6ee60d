/** Splits what a person typed into words. Quotes hold words together, also the curly ones of phones. */
export type Words =
  | { readonly ok: true; readonly words: readonly string[] }
  | { readonly ok: false; readonly problem: string };

const CLOSING: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  "“": "”",
  "„": "“",
  "‘": "’",
};

export function splitWords(text: string): Words {
  const words: string[] = [];
  let word: string | null = null;
  let closing: string | null = null;
  for (const character of text) {
    if (closing !== null) {
      // A phone may close with another quote than it opened with.
      if (character === closing || (closing === "”" && character === '"')) closing = null;
      else word += character;
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (opensQuote(word, character)) {
      closing = CLOSING[character]!;
      word ??= "";
    } else {
      word = (word ?? "") + character;
    }
  }
  if (closing !== null) return { ok: false, problem: `a quote is not closed: expected ${closing}` };
  if (word !== null) words.push(word);
  return { ok: true, words };
}

/** The word as it is to be typed: `splitWords` makes the same of it. Null: it holds every quote that there is. */
export function quoteWord(word: string): string | null {
  const [, name = "", value = ""] = /^([a-z]\w*=)?(.*)$/s.exec(word) ?? [];
  if (value !== "" && !/\s|[^\x20-\x7e]/.test(value) && !opensAnywhere(word)) return word;
  const open = ['"', "'"].find((quote) => !value.includes(quote));
  return open === undefined ? null : `${name}${open}${value}${open}`;
}

function opensAnywhere(word: string): boolean {
  return [...word].some((character, at) =>
    opensQuote(at === 0 ? null : word.slice(0, at), character),
  );
}

/** At the beginning of a word or of a value: the apostrophe in `it's` is a letter. */
function opensQuote(word: string | null, character: string): boolean {
  return character in CLOSING && (word === null || word.endsWith("="));
}
