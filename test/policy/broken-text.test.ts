/** Files that are no good YAML, or good YAML of a kind that policies do not use. */
import { describe, expect, it } from "vitest";
import { linesOf, withFile } from "./shipped.js";

const PATH = "policies/algobrain/healing.yaml";

const GOOD = `enabled: true
backoff:
  base: 1s
  cap: 5m
  jitter: 0.1
strategies:
  transient: retry
  crash: restart
  data: quarantine
  partial: rollback
  critical: escalate
crashMax: 3
workerDeadAfter: 5s
`;

/** What is wrong → the text → what `policy check` says after the name of the file. */
const CASES: readonly (readonly [string, string, readonly string[]])[] = [
  [
    "a tab as indentation",
    GOOD.replace("  base", "\tbase"),
    ["healing:3:1: found a tab, expected spaces as indentation"],
  ],
  [
    "a tab in the middle of the file",
    GOOD.replace("  crash: restart", "  crash: restart\n\tx: 1"),
    ["healing:9:1: found a tab, expected spaces as indentation"],
  ],
  [
    "a double quote that is never closed",
    GOOD.replace("1s", '"1s'),
    ["healing:3:9: found a double quote that is never closed"],
  ],
  [
    "a single quote that is never closed",
    GOOD.replace("base: 1s", "base: '1s"),
    ["healing:3:9: found a single quote that is never closed"],
  ],
  [
    "a bracket that is never closed",
    GOOD.replace("restart", "[restart"),
    ['healing:8:10: found "[" that is never closed'],
  ],
  [
    "a quote never closed in the last line",
    `${GOOD}x: "`,
    ["healing:14:4: found a double quote that is never closed"],
  ],
  [
    "five megabytes",
    `# ${"x".repeat(5 * 1_048_576 - 2)}`,
    ["healing:1:1: found a file of 5120 KiB, expected at most 256 KiB"],
  ],
  [
    "one anchor used once",
    GOOD.replace("1s", "&x 1s").replace("cap: 5m", "cap: *x"),
    [
      "healing:3:9: found an anchor or alias (and 1 more), expected plain values (write the value out where it is meant)",
    ],
  ],
  [
    "a merge key",
    `<<: {crashMax: 3}\n${GOOD}`,
    ['healing:1:1: found a merge key "<<", expected plain keys (write the keys out)'],
  ],
  [
    "two documents",
    `${GOOD}---\n${GOOD}`,
    [
      "healing:14:1: found a second document, expected one document in a file (make it a file of its own)",
    ],
  ],
  ["nothing at all", "", ["healing:1:1: found an empty file, expected keys and values"]],
  [
    "only a comment",
    "# to be written\n",
    ["healing:1:1: found an empty file, expected keys and values"],
  ],
  ["a list", "- enabled: true\n", ["healing:1:1: found a list, expected keys and values"]],
  ["one value", "enabled\n", ["healing:1:1: found one value, expected keys and values"]],
  [
    "UTF-16",
    `h\0e\0a\0l\0`,
    [
      "healing:1:2: found a NUL character, expected UTF-8 text (a UTF-16 file looks like this: save it as UTF-8)",
    ],
  ],
  [
    "bytes that are not UTF-8",
    GOOD.replace("retry", "r\uFFFDtry"),
    ["healing:7:15: found bytes that are not UTF-8, expected UTF-8 text (save the file as UTF-8)"],
  ],
  [
    "a key twice",
    GOOD.replace("crashMax: 3", "crashMax: 3\ncrashMax: 30"),
    ['healing:13:1: found the key "crashMax" twice, first on line 12'],
  ],
  [
    "keys that every object has",
    GOOD.replace("crashMax: 3", "crashMax: 3\n__proto__: {a: 1}\nconstructor: 1"),
    [
      'healing:13:1: found the key "__proto__", which is reserved',
      'healing:14:1: found the key "constructor", which is reserved',
    ],
  ],
  [
    "a hexadecimal number",
    GOOD.replace("crashMax: 3", "crashMax: 0x10"),
    [
      "healing:12:11: found 0x10, expected a plain decimal number (if it is a text, put it in quotes)",
    ],
  ],
  [
    "an infinite number",
    GOOD.replace("0.1", "1e999"),
    [
      "healing:5:11: found 1e999, expected a plain decimal number (if it is a text, put it in quotes)",
    ],
  ],
  [
    "no number",
    GOOD.replace("0.1", ".nan"),
    [
      "healing:5:11: found .nan, expected a plain decimal number (if it is a text, put it in quotes)",
    ],
  ],
  [
    "a number with a leading zero",
    GOOD.replace("crashMax: 3", "crashMax: 010"),
    [
      "healing:12:11: found 010, expected a plain decimal number (if it is a text, put it in quotes)",
    ],
  ],
  [
    "a number with underscores",
    GOOD.replace("crashMax: 3", "crashMax: 1_0"),
    [
      "healing:12:11: found 1_0, expected a plain decimal number (if it is a text, put it in quotes)",
    ],
  ],
  [
    "a tag",
    GOOD.replace("crashMax: 3", "crashMax: !!js/function 3"),
    ["healing:12:11: found the tag !!js/function, expected a plain value"],
  ],
  [
    "a text that needs quotes for its colon",
    GOOD.replace("crashMax: 3", "crashMax: a: b"),
    [
      'healing:12:12: not valid YAML: bad indentation of a mapping entry (look at the indentation; a text that holds ": " or begins with one of @ ` % & * ! | > [ { needs quotes)',
    ],
  ],
  [
    "a text that needs quotes for its first character",
    GOOD.replace("crashMax: 3", "crashMax: @3"),
    [
      'healing:12:11: not valid YAML: bad indentation of a mapping entry (look at the indentation; a text that holds ": " or begins with one of @ ` % & * ! | > [ { needs quotes)',
    ],
  ],
  [
    "a list as a key",
    GOOD.replace("crashMax: 3", "? [crashMax]\n: 3"),
    [
      'healing:1:1: missing key "crashMax", expected a whole number',
      "healing:12:3: found a list or map as a key, expected a name",
    ],
  ],
  [
    "an empty key",
    GOOD.replace("crashMax: 3", ": 3\ncrashMax: 3"),
    ["healing:12:3: found an empty key, expected a name"],
  ],
  [
    "sixty levels",
    `${GOOD}x: ${"[".repeat(60)}${"]".repeat(60)}\n`,
    ["healing:14:43: found more than 40 levels of nesting"],
  ],
  [
    "wrong indentation",
    GOOD.replace("  cap", "   cap"),
    [
      'healing:4:7: not valid YAML: bad indentation of a mapping entry (look at the indentation; a text that holds ": " or begins with one of @ ` % & * ! | > [ { needs quotes)',
    ],
  ],
  [
    "a last line without a colon",
    `${GOOD}enabled`,
    [
      "healing:14:8: not valid YAML: expected ':' after a mapping key (look at the indentation; a text that holds \": \" or begins with one of @ ` % & * ! | > [ { needs quotes)",
    ],
  ],
  [
    "a colon without a space",
    GOOD.replace("crashMax: 3", "crashMax:3"),
    ['healing:12:1: found no ": " on this line, expected key: value'],
  ],
];

describe("policy text", () => {
  it.each(CASES)("refuses %s, at its place", (_, text, expected) => {
    const lines = linesOf(withFile(PATH, text)).map((line) => line.replace(PATH, "healing"));
    expect(lines).toEqual(expected);
  });

  it("counts the aliases of a bomb and never expands them", () => {
    const list = (item: string) => `[${Array(9).fill(item).join(", ")}]`;
    const names = [..."abcdefghijkl"];
    const lines = names.map(
      (name, at) => `${name}: &${name} ${list(at === 0 ? "lol" : `*${names[at - 1]}`)}`,
    );
    expect(linesOf(withFile(PATH, lines.join("\n")))).toContain(
      `${PATH}:1:4: found an anchor or alias (and 110 more), expected plain values (write the value out where it is meant)`,
    );
  });

  it("reads Windows line ends and a byte order mark, and counts lines alike", () => {
    const text = `\uFEFF${GOOD.replace("crashMax: 3", "crashMax: 0").replaceAll("\n", "\r\n")}`;
    expect(linesOf(withFile(PATH, text))).toEqual([`${PATH}:12:11: found 0, expected at least 1`]);
    expect(linesOf(withFile(PATH, `\uFEFF${GOOD.replaceAll("\n", "\r\n")}`))).toEqual([]);
  });
});
