import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { charactersIn, slackRefusal } from "../../src/adapter/stand-in/slack-limits.js";
import type { Message } from "../../src/message/message.js";
import { SLACK_LIMITS, type SlackBlock, toSlack } from "../../src/message/slack-blocks.js";

const MESSAGE: Message = {
  tone: "bad",
  title: "SEV2 Queue depth high",
  text: "Jobs wait & pile up: depth <1000> exceeded",
  fields: [{ label: "Value", value: "1523" }],
  table: { columns: ["kind", "pending"], rows: [["index", "1500"]] },
  code: "exit 1",
  links: [{ label: "Run page", url: "https://example.com/run?a=1&b=2" }],
  actions: [
    { action: "approve", label: "Approve", value: "run-1", style: "primary" },
    { action: "approve", label: "Approve all", value: "run-2" },
  ],
  footer: "AR-06",
};

/** The texts that Slack parses as markup. */
function markup(blocks: readonly SlackBlock[]): string[] {
  return blocks.flatMap((block) => {
    if (block.type === "section") {
      return "text" in block ? [block.text.text] : block.fields.map(({ text }) => text);
    }
    return block.type === "context" ? block.elements.map(({ text }) => text) : [];
  });
}

/** Long, full of what Slack parses, and of characters that are two code units. */
const anyText = fc.oneof(
  fc.string({ maxLength: 50 }),
  fc.string({ unit: fc.constantFrom("&", "<", ">", "`", "*", "é", "😀", "\n", " ", "@", "|") }),
  fc
    .tuple(
      fc.constantFrom("&", "😀", "x", "<!channel>", "```"),
      fc.integer({ max: 12_000, min: 0 }),
    )
    .map(([piece, times]) => piece.repeat(times)),
);
const anyMessage: fc.Arbitrary<Message> = fc.record(
  {
    tone: fc.constantFrom("info", "good", "warning", "bad"),
    title: anyText,
    text: anyText,
    fields: fc.array(fc.record({ label: anyText, value: anyText }), { maxLength: 60 }),
    table: fc.record({
      columns: fc.array(anyText, { maxLength: 4 }),
      rows: fc.array(fc.array(anyText, { maxLength: 4 }), { maxLength: 20 }),
    }),
    code: anyText,
    links: fc.array(fc.record({ label: anyText, url: fc.webUrl() }), { maxLength: 60 }),
    actions: fc.array(
      fc.record({
        action: fc.constantFrom("approve", "deny", "cancel"),
        label: anyText,
        value: fc.string({ maxLength: 255 }),
      }),
      { maxLength: 40 },
    ),
    footer: anyText,
  },
  { requiredKeys: ["tone", "title"] },
);

describe("a message for Slack", () => {
  test("shows every part", () => {
    const { text, blocks } = toSlack(MESSAGE);
    expect(text).toBe(":rotating_light: SEV2 Queue depth high");
    expect(blocks).toEqual([
      {
        type: "header",
        text: { type: "plain_text", text: ":rotating_light: SEV2 Queue depth high", emoji: true },
      },
      {
        type: "section",
        text: { type: "mrkdwn", text: "Jobs wait &amp; pile up: depth &lt;1000&gt; exceeded" },
      },
      { type: "section", fields: [{ type: "mrkdwn", text: "*Value*\n1523" }] },
      { type: "section", text: { type: "mrkdwn", text: "```\nkind   pending\nindex  1500\n```" } },
      { type: "section", text: { type: "mrkdwn", text: "```\nexit 1\n```" } },
      {
        type: "section",
        text: { type: "mrkdwn", text: "<https://example.com/run?a=1&amp;b=2|Run page>" },
      },
      {
        type: "actions",
        elements: [
          {
            type: "button",
            text: { type: "plain_text", text: "Approve", emoji: true },
            action_id: "approve",
            value: "run-1",
            style: "primary",
          },
          {
            type: "button",
            text: { type: "plain_text", text: "Approve all", emoji: true },
            action_id: "approve#1",
            value: "run-2",
          },
        ],
      },
      { type: "context", elements: [{ type: "mrkdwn", text: "AR-06" }] },
    ]);
  });

  test("long output keeps its end, where the reason stands", () => {
    const { blocks } = toSlack({
      tone: "bad",
      title: "t",
      code: `${"x\n".repeat(5_000)}the reason`,
    });
    const code = markup(blocks);
    expect(code[0]).toMatch(/^```\n…/);
    expect(code.at(-1)).toMatch(/the reason\n```$/);
  });

  test("output of more than one section stands in several, whole and in order", () => {
    const lines = Array.from({ length: 120 }, (_, i) => `${i} <${"y".repeat(40)}>`);
    const code = markup(toSlack({ tone: "info", title: "t", code: lines.join("\n") }).blocks);
    expect(code.length).toBeGreaterThan(1);
    const shown = code.join("\n").replaceAll("```\n", "").replaceAll("\n```", "");
    expect(shown.replaceAll("&lt;", "<").replaceAll("&gt;", ">")).toBe(lines.join("\n"));
  });

  test("whatever it holds, Slack takes it and it stays under our total", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const { text, blocks } = toSlack(message);
        expect(slackRefusal(text, blocks)).toBeNull();
        expect(blocks.length).toBeLessThanOrEqual(SLACK_LIMITS.blocks);
        expect(charactersIn(blocks) + text.length).toBeLessThanOrEqual(SLACK_LIMITS.total);
      }),
      { numRuns: 150 },
    );
  });

  test("whatever it holds, nobody is mentioned and nothing looks like markup of ours", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const { text, blocks } = toSlack({ ...message, links: [] });
        for (const part of [text, ...markup(blocks)]) {
          expect(part).not.toMatch(/[<>]/);
          expect(part.replace(/&(amp|lt|gt);/g, "")).not.toContain("&");
        }
      }),
      { numRuns: 150 },
    );
  });

  test("the buttons and the footer survive any amount of text", () => {
    const { blocks } = toSlack({ ...MESSAGE, text: "x".repeat(50_000), code: "y".repeat(50_000) });
    expect(blocks.slice(-2).map(({ type }) => type)).toEqual(["actions", "context"]);
  });
});
