/** What we said ourselves, as it comes back through the doors, beside what looks like it and is people's. */
import { describe, expect, test } from "vitest";
import { planSticky } from "../../src/review/sticky.js";
import { isOwnComment, isOwnIncident, isOwnNote } from "../../src/runbook/own-word.js";

test.each([
  ["algobrain/run-17/stalled", true],
  ["algobrain/automation/backlog", true],
  ["algobrain/queue-depth-high/all", false],
  ["run-17", false],
  [null, false],
])("the incident %s is a word of our own: %s", (key, own) => {
  expect(isOwnIncident(key)).toBe(own);
});

test.each([
  ["run-17 started: rerun-job\n\nrun-17:started", true],
  ["No runbook was started by automation.\n\ninbound-4:held", true],
  ["run-17:inherited", true],
  ["I looked at run-17, it is fine", false],
  ["see https://example.com/run-17:8080/x", false],
  ["run-17: what did it do?", false],
  ["rerun-17:succeeded", false],
  ["", false],
  [undefined, false],
])("the note %j is our own: %s", (content, own) => {
  expect(isOwnNote(content)).toBe(own);
});

describe("a comment", () => {
  test("that the sticky plan makes is our own", () => {
    const { create } = planSticky([], { key: "policy", body: "# All is well", author: "bot" });
    expect(isOwnComment(create)).toBe(true);
  });

  test.each([
    ["LGTM"],
    ["it wrote <!-- algobrain:policy v1 sha256=0 --> into mine"],
    ["> <!-- algobrain:policy v1 sha256=0 -->"],
    ["<!-- another:policy v1 -->"],
    [null],
  ])("%j is not", (body) => {
    expect(isOwnComment(body)).toBe(false);
  });
});
