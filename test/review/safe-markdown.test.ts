import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Change } from "../../src/policy/change.js";
import { writePolicyComment } from "../../src/review/policy-comment.js";
import { codeBlock, plainLine, plainText, safeMarkdown } from "../../src/review/safe-markdown.js";

/** What GitHub would see as a name or an issue: outside of code, without anything in between. */
const REFERENCE = /@[\w-]|#\d|\bGH-\d/;

describe("foreign Markdown", () => {
  test.each([
    ["a name", "ask @ann or @acme/team", "ask @\u200Bann or @\u200Bacme/team"],
    ["an escaped name", "ask \\@ann", "ask \\@\u200Bann"],
    ["an issue", "fixes #12, GH-7, acme/shop#3", "fixes #\u200B12, GH-\u200B7, acme/shop#\u200B3"],
    [
      "an address of an issue",
      "https://github.com/acme/shop/pull/1",
      "https://github.com\u200B/acme/shop/pull/1",
    ],
    ["a tag", "<img src=x onerror=y>", "&lt;img src=x onerror=y>"],
    ["an escaped tag", "\\<img src=x>", "\\&lt;img src=x>"],
    [
      "a comment with our marker",
      "<!-- algobrain:policy v1 -->",
      "&lt;!-- algobrain:policy v1 -->",
    ],
    ["an image", "![ok](https://x.example/ok.png)", "!\\[ok](https://x.example/ok.png)"],
    ["code that a line does not close", "a ` b\n<img> ` c", "a \\` b\n&lt;img> \\` c"],
    ["an escaped backtick", "\\` <img> ` @ann", "\\` &lt;img> \\` @\u200Bann"],
    ["a fence with more behind it", "~~~ x @ann\n<img>", "\\~\\~\\~ x @\u200Bann\n&lt;img>"],
    ["a fold that was never opened", "a\n</details>", "a\n&lt;/details>"],
    ["a tag in small print", "<sub><img></sub>", "<sub>&lt;img></sub>"],
    ["a fold with a tag behind it", "<details><img>", "&lt;details>&lt;img>"],
    ["a fence that ends a list item early", "- a\n  ```\n<img>", "- a\n  \\`\\`\\`\n&lt;img>"],
  ])("loses %s", (_, foreign, safe) => {
    expect(safeMarkdown(foreign)).toBe(safe);
  });

  test.each([
    ["headings, lists and tables", "## Title\n\n- **a**: *b*\n\n| a | b |\n|---|---|\n| 1 | 2 |"],
    ["code in a line", "set `a < b @c` now"],
    ["a block of code", "```diff\n-a: <1>\n+a: @ann #2\n```"],
    ["small print", "<sub>compared with main</sub>"],
    ["a fold", "<details>\n\n<summary>more</summary>\n\ntext\n\n</details>"],
  ])("keeps %s", (_, markdown) => {
    expect(safeMarkdown(markdown).replace(/\n{3,}/g, "\n\n")).toBe(markdown);
  });

  test("what it opens is closed at its end", () => {
    expect(safeMarkdown("<details>\n\n````diff\n```\n<b>")).toBe(
      "<details>\n\n\n````diff\n```\n<b>\n````\n</details>",
    );
  });

  test("a line that is made to take long is cut", () => {
    const runs = Array.from({ length: 2_000 }, (_, at) => "`".repeat(at + 1)).join(" ");
    const safe = safeMarkdown(`${runs}\n<b>`);
    expect(safe.length).toBeLessThan(10_000);
    expect(safe).toMatch(/…\n&lt;b>$/);
  });

  test("a language that GitHub draws pictures from is taken away", () => {
    expect(safeMarkdown("```mermaid\ngraph\n```")).toBe("```\ngraph\n```");
  });

  test("made safe once more it says the same to a reader", () => {
    const piece = fc.constantFrom(
      ...["@ann", "#1", "<img>", "`", "``", "```", "~~~", "\\", "\n", " ", "a", "</details>"],
      ...["<details>", "<summary>x</summary>", "- ", "> ", "| ", "diff", "![", "GH-3", "-->"],
      ...["<sub>x</sub>", "<sub>", "</sub>"],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const safe = safeMarkdown(pieces.join(""));
        const outside = withoutCode(safe);
        expect(outside).not.toMatch(REFERENCE);
        const tags = outside.match(/<[^>\n]*>?/g) ?? [];
        for (const tag of tags) expect(tag).toMatch(/^<\/?(details|summary|sub)>$/);
        expect(count(outside, "<details>")).toBe(count(outside, "</details>"));
      }),
      { numRuns: 500 },
    );
  });
});

/** By CommonMark's rules for top-level fences, and for code spans inside a line. */
function withoutCode(markdown: string): string {
  const lines: string[] = [];
  let fence: string | null = null;
  for (const line of markdown.split("\n")) {
    const run = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
    if (fence === null && run && !(run[1]!.startsWith("`") && run[2]!.includes("`")))
      fence = run[1]!;
    else if (fence !== null) {
      if (run?.[1]?.startsWith(fence) && run[2]!.trim() === "") fence = null;
    } else lines.push(withoutSpans(line));
  }
  expect(fence, "a fence is left open").toBeNull();
  return lines.join("\n");
}

/** From left to right, as CommonMark reads: outside of code a backslash escapes, inside it does not. */
function withoutSpans(line: string): string {
  let outside = "";
  let rest = line;
  while (rest !== "") {
    const run = /^`+/.exec(rest)?.[0] ?? "";
    const close = run === "" ? -1 : findRun(rest, run.length, run.length);
    if (/^\\[\\`]/.test(rest)) rest = rest.slice(2);
    else if (close >= 0) rest = rest.slice(close + run.length);
    else {
      outside += run || rest[0];
      rest = rest.slice(run.length || 1);
    }
  }
  return outside;
}

/** Where the next run of exactly so many backticks begins, or -1. */
function findRun(text: string, length: number, from: number): number {
  for (const { index, 0: run } of text.slice(from).matchAll(/`+/g))
    if (run.length === length) return from + index;
  return -1;
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

test("our own report passes as it was written", () => {
  const operation = { op: "set", at: ["retention", "eventsDays"], before: 90, after: 30 } as const;
  const changes: Change[] = [
    {
      ...{ operation, section: "retention", subject: "events_retention_days <@ann #1>" },
      ...{ risk: "irreversible", words: "kept `90` days → 30 days" },
    },
  ];
  const groups = [{ title: "production", environments: ["production"], changes }];
  const comment = writePolicyComment(groups, {
    base: "origin/main at 1f2e3d",
    notes: [],
    inForce: null,
    impact: null,
  });
  expect(safeMarkdown(comment)).toBe(comment.trim());
});

describe("a text of people's inside our own Markdown", () => {
  test("is one line without mark-up and without references", () => {
    expect(plainText("`**x**` <b>\n@ann fixes #1")).toBe(
      "\\`\\*\\*x\\*\\*\\` &lt;b&gt; @\u200Bann fixes #\u200B1",
    );
  });

  test("cannot close an issue or add a trailer from a commit message", () => {
    expect(plainLine("closes #4\nCo-authored-by: @bob")).toBe(
      "closes #\u200B4 Co-authored-by: @\u200Bbob",
    );
  });

  test("a block of code is fenced longer than what it holds", () => {
    expect(codeBlock(["a", "````"], "yaml")).toBe("`````yaml\na\n````\n`````");
  });
});
