/** When a branch counts as guarded, and that everything else does not. */
import { describe, expect, test } from "vitest";
import type { Protection } from "../../src/review/port.js";
import { judgeProtection } from "../../src/review/protection.js";

const GUARDED: Protection = {
  known: true,
  pullRequestRequired: true,
  reviews: 1,
  codeOwners: true,
  staleDismissed: true,
  adminsIncluded: true,
  checks: ["check"],
  forcePush: false,
  deletion: false,
};

describe("a branch", () => {
  test("with every guard is protected", () => {
    expect(judgeProtection("main", GUARDED)).toEqual({
      branch: "main",
      verdict: "on",
      missing: [],
    });
  });

  test.each<[string, Partial<Protection>, string]>([
    ["that takes pushes", { pullRequestRequired: false }, "changes need no pull request"],
    ["that nobody has to approve", { reviews: 0 }, "no approving review"],
    ["whose owners are not asked", { codeOwners: false }, "code owners"],
    ["whose approvals outlive commits", { staleDismissed: false }, "outlives the commits"],
    ["that admins may pass by", { adminsIncluded: false }, "administrators"],
    ["without checks", { checks: [] }, "no status check"],
    ["that can be rewritten", { forcePush: true }, "force pushes"],
    ["that can be deleted", { deletion: true }, "deleted"],
  ])("%s is not", (_, change, missing) => {
    const { verdict, missing: said } = judgeProtection("main", { ...GUARDED, ...change });
    expect(verdict).toBe("off");
    expect(said).toEqual([expect.stringContaining(missing)]);
  });

  test("of which the host says nothing is unknown, whatever the rest reads", () => {
    expect(judgeProtection("main", { ...GUARDED, known: false }).verdict).toBe("unknown");
  });
});
