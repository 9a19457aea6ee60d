import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parsePolicyPath } from "../../src/policy/path.js";
import type { Scalar } from "../../src/policy/tree.js";
import { type ChangeRequest, planChange } from "../../src/review/change-request.js";
import { writeChangeRequest } from "../../src/review/change-words.js";
import type { RepositoryFile } from "../../src/review/port.js";
import { readPolicyFiles } from "../support/policy-files.js";

const files: readonly RepositoryFile[] = Object.entries(readPolicyFiles()).map(([path, text]) => ({
  ...{ path, text },
  sha: createHash("sha1").update(text).digest("hex"),
}));

const EVENTS = "retention.events_retention_days";

function wish(
  values: Readonly<Record<string, Scalar>>,
  overrides: Partial<ChangeRequest> = {},
): ChangeRequest {
  const changes = Object.entries(values).map(([path, value]) => ({
    ...{ path: parsePolicyPath(path)!, value },
  }));
  return { changes, environment: "production", reason: "less disk", by: "api:ann", ...overrides };
}

function planOf(request: ChangeRequest, from = files) {
  const planned = planChange(from, request);
  if (planned.outcome !== "planned") throw new Error(JSON.stringify(planned));
  return planned.plan;
}

describe("what a wish would change", () => {
  test("is one line of one file, and its comment stays", () => {
    const plan = planOf(wish({ "retention.quarantined_jobs_retention_days": 20 }));
    expect(plan.edited).toMatchObject([
      {
        file: { path: "policies/algobrain/retention.yaml" },
        before: expect.stringMatching(/^quarantined_jobs_retention_days: 30 #/),
        after: expect.stringMatching(/^quarantined_jobs_retention_days: 20 #/),
      },
    ]);
    const [file] = plan.files;
    const before = files.find(({ path }) => path === file!.path)!.text.split("\n");
    const after = file!.text.split("\n");
    expect(after.filter((line, at) => line !== before[at])).toHaveLength(1);
  });

  test("of several values is told as one plan", () => {
    const plan = planOf(wish({ [EVENTS]: 60, "retention.jobs_retention_days": 90 }));
    expect([plan.edited.length, plan.files.length, plan.changes.length]).toEqual([2, 1, 2]);
  });

  test("lands in the overlay where that decides, and names who else is touched where it does not", () => {
    const staging = planOf(wish({ [EVENTS]: 7 }, { environment: "staging" }));
    expect(staging.files.map(({ path }) => path)).toEqual([
      "policies/algobrain/environments/staging.yaml",
    ]);
    expect(staging.elsewhere).toEqual([]);
    expect(planOf(wish({ [EVENTS]: 60 })).elsewhere).toEqual(["local"]);
  });

  test("is nothing when it says so already", () => {
    expect(planChange(files, wish({ [EVENTS]: 90 }))).toEqual({ outcome: "nothing-to-change" });
  });

  test("is refused with its place when the checks refuse it, before anything is opened", () => {
    expect(planChange(files, wish({ [EVENTS]: 0 }))).toMatchObject({
      outcome: "invalid",
      problems: [{ file: "policies/algobrain/retention.yaml" }],
    });
    expect(planChange(files, wish({ [EVENTS]: 60 }, { environment: "prod" }))).toMatchObject({
      outcome: "invalid",
    });
  });

  test("has the same key until the file that it edits moves on", () => {
    const { key } = planOf(wish({ [EVENTS]: 60 }));
    const moved = (path: RegExp) =>
      files.map((file) => (path.test(file.path) ? { ...file, sha: "0".repeat(40) } : file));
    expect(key).toMatch(/^[0-9a-f]{12}$/);
    expect(planOf(wish({ [EVENTS]: 60 }, { reason: "x", by: "cli:bob" })).key).toBe(key);
    expect(planOf(wish({ [EVENTS]: 60 }), moved(/routes/)).key).toBe(key);
    expect(planOf(wish({ [EVENTS]: 60 }), moved(/retention/)).key).not.toBe(key);
    expect(planOf(wish({ [EVENTS]: 61 })).key).not.toBe(key);
    expect(planOf(wish({ [EVENTS]: 60 }, { environment: "local" })).key).not.toBe(key);
  });
});

describe("how it is told", () => {
  const words = (request: ChangeRequest, rows = [{ entity: "events", before: 10, after: 2_010 }]) =>
    writeChangeRequest(request, planOf(request), rows);

  test("with who asked, why, the risk, the line, and the rows that would go", () => {
    const { title, body, message } = words(wish({ [EVENTS]: 60 }));
    expect(title).toBe("policy: retention.events_retention_days = 60 (production)");
    expect(message).toBe(`${title}\n\nReason: less disk\nAsked by: api:ann\n`);
    expect(body).toContain("Asked for by **api:ann**: less disk");
    expect(body).toContain("**Irreversible:**");
    expect(body).toMatch(/```diff\n-events_retention_days: 90\n\+events_retention_days: 60\n```/);
    expect(body).toContain("- events: 2000 more (2010 instead of 10)");
    expect(body).toContain("Besides production, this changes: local.");
  });

  test("a longer number deletes nothing, and is not called irreversible", () => {
    const { body } = words(wish({ [EVENTS]: 120 }), []);
    expect(body).not.toMatch(/Irreversible|deletes/);
  });

  test("a reason mentions nobody, closes nothing and brings no mark-up along", () => {
    const reason = "**now** @ann\nfixes #3 <img>";
    const { body, message } = words(wish({ [EVENTS]: 60 }, { reason }));
    for (const text of [body, message]) expect(text).not.toMatch(/@ann|#3/);
    expect(body).not.toMatch(/<img>|\*\*now\*\*/);
    expect(message.split("\n")).toHaveLength(5);
  });
});
