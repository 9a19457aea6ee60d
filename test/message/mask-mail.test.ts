import { describe, expect, it } from "vitest";
import { maskMails, maskMailsIn } from "../../src/message/mask-mail.js";
import type { Message } from "../../src/message/message.js";
import { toSlack } from "../../src/message/slack-blocks.js";

describe("maskMails", () => {
  it.each([
    ["ada@example.org", "a…@example.org"],
    ["Ada Lovelace <ada.l+x@mail.example.org>: no", "Ada Lovelace <a…@mail.example.org>: no"],
    ["api:ada@example.org", "api:a…@example.org"],
    ["author=ada@example.org&x", "author=a…@example.org&x"],
    ["https://ada:secret@host.example/x", "https://ada:s…@host.example/x"],
    ["4711+ada@users.noreply.github.com", "4…@users.noreply.github.com"],
    ["𝒜da@example.org", "𝒜…@example.org"],
    [`${"x".repeat(5_000)}@example.org`, "x…@example.org"],
  ])("hides whose %j is", (text, masked) => {
    expect(maskMails(text)).toBe(masked);
  });

  it.each([
    "noreply@github.com",
    "git@github.com:ada/engine.git",
    "postgres@16.2",
    "general-worker-1@host-3",
    "@ada said: 5 @ 3",
    "run-7@sha256:c0ffee",
  ])("leaves what names nobody: %j", (text) => {
    expect(maskMails(text)).toBe(text);
  });

  it("keeps what it is told to, in whatever case it is written", () => {
    const keep = new Set(["ops@example.org"]);
    expect(maskMails("Ops@Example.org, ada@example.org", keep)).toBe(
      "Ops@Example.org, a…@example.org",
    );
  });

  it("reaches every text of a document and nothing else", () => {
    const at = new Date(0);
    const document = { at, list: [1, null, { "ada@x.example": ["bob@x.example"] }] };
    const masked = { at, list: [1, null, { "a…@x.example": ["b…@x.example"] }] };
    expect(maskMailsIn(document)).toEqual(masked);
    const clean = { at, list: [1, "two"] };
    expect(maskMailsIn(clean)).toBe(clean);
  });
});

describe("a message in chat", () => {
  it("shows no whole address anywhere, and its buttons and links lead where they led", () => {
    const mail = "ada@example.org";
    const url = `https://tickets.example/?q=${mail}`;
    const message: Message = {
      ...{ tone: "bad", title: mail, text: mail, code: mail, footer: mail },
      fields: [{ label: mail, value: mail }],
      table: { columns: [mail], rows: [[mail]] },
      links: [{ label: mail, url }],
      actions: [{ action: "approve", label: mail, value: "key@nonce.example" }],
    };
    const { text, blocks } = toSlack(message);
    const shown = JSON.stringify({ text, blocks });
    expect(shown.split(mail)).toHaveLength(2);
    expect(shown).toContain(`<${url}|a…@example.org>`);
    expect(shown).toContain('"value":"key@nonce.example"');
    expect(shown.split("a…@example.org").length).toBeGreaterThan(9);
  });
});
