/** What a button of a message is taken for: a lookup key, and nothing more. */
import { describe, expect, test } from "vitest";
import { readButton } from "../../src/bot/slack-buttons.js";

describe("a button", () => {
  test.each([
    [
      "approve",
      "run-17:n0nce_-",
      { kind: "order", order: "approve", runId: "run-17", nonce: "n0nce_-" },
    ],
    ["cancel#2", "run-1:abc", { kind: "order", order: "cancel", runId: "run-1", nonce: "abc" }],
    ["run-now", "inbound-9:2026-11-22T03:00:00.000Z", { kind: "run-now", inboundId: 9 }],
  ])("of ours is read: %j %j", (action, value, expected) => {
    expect(readButton(action, value)).toMatchObject(expected);
  });

  test.each([
    ["approve", "run-1"],
    ["approve", "run-1:"],
    ["approve", "run-01:x"],
    ["approve", "run-1:x\nrun-2:y"],
    ["approve'--", "run-1:x"],
    ["cancel", "run-1:x; DROP TABLE"],
    ["run-now", "inbound-1:now() or 1=1"],
    ["__proto__", "run-1:x"],
    [null, null],
  ])("that is none of ours is no order: %j %j", (action, value) => {
    expect(readButton(action, value)).toBeNull();
  });
});
