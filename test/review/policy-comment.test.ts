/** The comment on a pull request: what is worst comes first, and whatever the branch wrote stays text. */
import { describe, expect, test } from "vitest";
import type { ChangeGroup } from "../../src/policy/by-environment.js";
import type { Change, Risk } from "../../src/policy/change.js";
import { readHeldValues } from "../../src/review/drift-report.js";
import {
  inForceLines,
  writePolicyComment,
  writeProblemComment,
} from "../../src/review/policy-comment.js";

function change(risk: Risk, words: string, subject = "events_retention_days"): Change {
  const operation = { op: "set", at: ["retention", "eventsDays"], before: 90, after: 30 } as const;
  return { operation, section: "retention", subject, risk, words };
}

const group = (title: string, ...changes: Change[]): ChangeGroup => ({
  ...{ title, environments: [title], changes },
});
const COMPARED = { base: "main at 0123456789ab", notes: [], inForce: null, impact: null };

describe("the comment", () => {
  test("counts by risk, warns of what a revert does not undo, and has a table for each group", () => {
    const comment = writePolicyComment(
      [
        group("every environment", change("irreversible", "kept 90 days → 30 days")),
        group(
          "production",
          change("looser", "more rights", "person Ann"),
          change("neutral", "role"),
        ),
      ],
      { ...COMPARED, notes: ["The environment eu is new."] },
    );
    expect(comment).toBe(
      [
        "### 🚨 Policy changes: 1 irreversible, 1 looser, 1 neutral",
        "",
        "**What is irreversible does not come back by a revert.** Let a second person look at it.",
        "",
        "<sub>Compared with main at 0123456789ab. The environment eu is new.</sub>",
        "",
        "#### every environment",
        "",
        "| risk | what | change |",
        "|---|---|---|",
        "| 🚨 irreversible | events\\_retention\\_days | kept 90 days → 30 days |",
        "",
        "#### production",
        "",
        "| risk | what | change |",
        "|---|---|---|",
        "| ⚠️ looser | person Ann | more rights |",
        "| · neutral | events\\_retention\\_days | role |",
        "",
        "",
      ].join("\n"),
    );
  });

  test("says when nothing changes", () => {
    expect(writePolicyComment([], COMPARED)).toMatch(
      /^### ✅ Nothing changes what the policies mean\n/,
    );
  });

  test("of thousands of changes stays below the limit of a comment and says how many are left out", () => {
    const changes = Array.from({ length: 5000 }, (_, at) =>
      change("looser", `${at} ${"é".repeat(200)}`),
    );
    const comment = writePolicyComment([group("production", ...changes)], COMPARED);
    expect(comment.length).toBeLessThan(60_000);
    expect(Buffer.byteLength(comment)).toBeLessThan(65_536);
    expect(comment).toContain("and 4900 more");
  });

  test("keeps what a branch wrote from speaking to people, or from breaking the table", () => {
    const comment = writePolicyComment(
      [group("production", change("new", "a | b\n\n# c <img src=x> #12", "person @everyone `x`"))],
      COMPARED,
    );
    expect(comment).not.toMatch(/@everyone|<img|#12|[^\\]`x|\n# c/);
    expect(comment.match(/^\| ➕ new .*\|$/m)?.[0].match(/(?<!\\)\|/g)).toHaveLength(4);
  });

  test("lists problems instead, the first fifty", () => {
    const problems = Array.from({ length: 60 }, (_, at) => ({
      ...{ file: "policies/routes.yaml", line: at + 1, column: 3 },
      ...{ message: `found "@ann"`, hint: "write it" },
    }));
    const comment = writeProblemComment(problems, null);
    expect(comment).toMatch(/^### 🚨 The policies have 60 problems: nothing can be compared\n/);
    expect(comment).toContain("- **policies/routes.yaml:1:3** found");
    expect(comment).toContain("- … and 10 more");
    expect(comment).not.toContain("@ann");
  });
});

describe("what holds in a runtime against the policies", () => {
  const address = "https://ops.example.com";
  const override = { id: 1, owner: "@ann", reason: "slow | disk", until: "2026-03-01T12:00:00Z" };
  const drift = [
    { name: "workers.index.concurrency", policyValue: 4, value: 2, override },
    { name: "HEALDEC_ENABLED", policyValue: true, value: false },
    { name: "cache.x", policyValue: 1, value: 9, unusable: "it is gone" },
  ];
  const comment = (inForce: Parameters<typeof inForceLines>[0]) =>
    writePolicyComment([group("production", change("looser", "x"))], { ...COMPARED, inForce });

  test("is a table with owner, reason and end, before the changes", () => {
    const text = comment({ address, held: readHeldValues({ drift })! });
    const section = text.slice(text.indexOf("#### In force"), text.indexOf("#### production"));
    expect(section.split("\n").filter((line) => line.startsWith("|"))).toEqual([
      "| what | in force | owner | reason | expires |",
      "|---|---|---|---|---|",
      "| workers.index.concurrency | 2 (the policy: 4) | @\u200Bann | slow \\| disk | 2026-03-01T12:00:00Z |",
      "| HEALDEC\\_ENABLED | false (the policy: true) | – | a set variable | – |",
      "| cache.x | not 9, since it is gone (the policy: 1) | – | a set variable | – |",
    ]);
    expect(section).toContain("#### In force now, against the policies");
  });

  test("is nothing, or one sentence, or not asked, each apart", () => {
    const unknown = "no answer within 5000 ms";
    expect(comment({ address, held: [] })).toContain(`${address}: nothing\n`);
    expect(comment({ address, unknown })).toContain(`could not be asked: ${unknown}`);
    expect(comment(null)).not.toContain("In force now");
    expect(writeProblemComment([], { address, held: [] })).toContain(`${address}: nothing\n`);
    expect([inForceLines({ address, held: [] }), inForceLines(null)]).toEqual([
      [`In force now, against the policies (${address}):`, "  nothing"],
      [],
    ]);
  });

  test("leaves the changes their room, however much a runtime says", () => {
    const one = { ...drift[0]!, name: "é".repeat(5_000), value: "|".repeat(5_000) };
    const held = readHeldValues({ drift: Array.from({ length: 500 }, () => one) })!;
    const text = comment({ address, held });
    expect(text).toContain("and 480 more");
    expect(text).toContain("#### production");
    expect(text.length).toBeLessThan(60_000);
  });

  test.each([
    [null],
    [[]],
    [{ status: "healthy" }],
    [{ drift: "none" }],
    [{ drift: [{ name: 1 }] }],
    [{ drift: [7] }],
  ])("%j is no health of ours", (health) => {
    expect(readHeldValues(health)).toBeNull();
  });
});
