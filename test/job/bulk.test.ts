import { describe, expect, test } from "vitest";
import { confirmToken, readConfirmToken, spacingMs, statusesFor } from "../../src/job/bulk.js";

const asked = { action: "retry", filter: { status: "failed", job_type: "index" } } as const;
const confirmed = { count: 120, upToSeq: 5678 };

describe("a confirmation", () => {
  const token = confirmToken(asked, confirmed);

  test("says what was counted, whatever the order of the filter's keys", () => {
    expect(token).toMatch(/^120-5678-[0-9a-f]{16}$/);
    const turned = { action: "retry", filter: { job_type: "index", status: "failed" } } as const;
    expect(readConfirmToken(token, turned)).toEqual(confirmed);
  });

  test.each([
    ["another act", token, { ...asked, action: "cancel" }],
    ["another filter", token, { ...asked, filter: { status: "failed" } }],
    ["a larger count", token.replace("120", "121"), asked],
    ["later jobs", token.replace("5678", "9999"), asked],
    ["what is none", "yes", asked],
    ["nothing", "", asked],
  ] as const)("holds for no %s", (_, text, other) => {
    expect(readConfirmToken(text, other)).toBeNull();
  });
});

describe("what a bulk act moves", () => {
  test("is what the single act moves (X-01, X-79)", () => {
    expect(statusesFor("retry")).toEqual(["failed", "quarantined", "cancelled"]);
    expect(statusesFor("cancel")).toEqual(["pending", "running", "failed", "quarantined"]);
  });

  test.each([
    ["a few: ten a second", 50, undefined, 100],
    ["many: all within ten minutes", 60_000, undefined, 10],
    ["over a window that was asked for", 60, 60_000, 1_000],
    ["none", 0, undefined, 100],
  ])("retries %s (X-03)", (_, count, windowMs, expected) => {
    expect(spacingMs(count, windowMs)).toBe(expected);
  });
});
