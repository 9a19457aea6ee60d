import fc from "fast-check";
import { expect, test } from "vitest";
import { escapeMarkdown, toMarkdown } from "../../src/message/markdown.js";
import type { Message } from "../../src/message/message.js";
import { toPlain } from "../../src/message/plain.js";

const MESSAGE: Message = {
  tone: "warning",
  title: "Queue depth high",
  text: "Jobs wait.",
  fields: [{ label: "Value", value: "1523" }],
  table: { columns: ["kind", "pending"], rows: [["index", "1500"], ["score"]] },
  code: "exit 1",
  links: [{ label: "Run", url: "https://example.com/a b" }],
  footer: "AR-06",
};

test("plain text shows every part, with columns aligned", () => {
  expect(toPlain(MESSAGE)).toBe(
    [
      "[warning] Queue depth high",
      "Jobs wait.",
      "Value: 1523",
      "kind   pending\nindex  1500\nscore",
      "exit 1",
      "Run: https://example.com/a b",
      "AR-06",
    ].join("\n\n"),
  );
});

test("a message of a title alone is one line", () => {
  expect(toPlain({ tone: "info", title: "Done", text: "", fields: [] })).toBe("Done");
});

test("Markdown shows every part", () => {
  expect(toMarkdown(MESSAGE)).toBe(
    [
      "### ⚠️ Queue depth high",
      "Jobs wait.",
      "- **Value:** 1523",
      "| kind | pending |\n| --- | --- |\n| index | 1500 |\n| score |  |",
      "```\nexit 1\n```",
      "[Run](<https://example.com/a%20b>)",
      "<sub>AR-06</sub>",
    ].join("\n\n"),
  );
});

test("a fence in the code does not end the code", () => {
  expect(toMarkdown({ tone: "info", title: "t", code: "a\n```\nb" })).toContain(
    "````\na\n```\nb\n````",
  );
});

test("values cannot mention people, close issues or break a table", () => {
  const text = toMarkdown({
    tone: "info",
    title: "closes #1 @everyone",
    table: { columns: ["a"], rows: [["x | y\n| z |"]] },
  });
  expect(text).toContain("### closes \\#1 \\@everyone");
  expect(text).toContain("| x \\| y \\| z \\| |");
});

test("escaping leaves no character that could begin HTML", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(escapeMarkdown(text)).not.toMatch(/[<>]/);
    }),
  );
});
