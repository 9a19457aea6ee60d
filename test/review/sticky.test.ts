import { describe, expect, test } from "vitest";
import type { PullRequestComment } from "../../src/review/port.js";
import { planSticky } from "../../src/review/sticky.js";

const ME = "algobrain[bot]";
const plan = (existing: readonly PullRequestComment[], body = "two rules changed") =>
  planSticky(existing, { key: "policy", body, author: ME });

/** The comment that a first run has left. */
function written(body: string, overrides: Partial<PullRequestComment> = {}): PullRequestComment {
  return { id: 1, author: ME, body: plan([], body).create!, ...overrides };
}

describe("one comment a concern", () => {
  test("is made when there is none, with its marker hidden in the first line", () => {
    const { create, update, unchanged } = plan([{ id: 9, author: "ann", body: "nice" }]);
    expect(create).toMatch(/^<!-- algobrain:policy v1 sha256=[0-9a-f]{64} -->\ntwo rules changed$/);
    expect([update, unchanged]).toEqual([null, false]);
  });

  test("is left alone when it says the same", () => {
    expect(plan([written("two rules changed")])).toEqual({
      ...{ create: null, update: null, delete: [], unchanged: true, kept: 1 },
    });
  });

  test("is changed in place when it says something else", () => {
    const { create, update } = plan([written("one rule changed")]);
    expect([create, update?.id]).toEqual([null, 1]);
    expect(update?.body).toContain("two rules changed");
  });

  test("of several the oldest stays, and the copies go", () => {
    const copies = [2, 5].map((id) => written("one rule changed", { id }));
    const { update, delete: gone } = plan(copies);
    expect([update?.id, gone]).toEqual([2, [5]]);
  });

  test("with our marker under another name is not ours: nobody can plant one", () => {
    const planted = written("two rules changed", { author: "mallory" });
    expect(plan([planted])).toMatchObject({ create: expect.any(String), delete: [] });
  });

  test("of the workflow's own token is ours too, and GitHub's names have no case", () => {
    for (const author of ["github-actions[bot]", "AlgoBrain[bot]"])
      expect(plan([written("two rules changed", { author })]).unchanged).toBe(true);
  });

  test("of another concern is another comment", () => {
    const other = planSticky([], { key: "plan", body: "two rules changed", author: ME });
    expect(plan([{ id: 1, author: ME, body: other.create! }]).create).not.toBeNull();
  });

  test("a marker further down is somebody's quotation", () => {
    const quoting = { id: 1, author: ME, body: `see\n${written("two rules changed").body}` };
    expect(plan([quoting]).create).not.toBeNull();
  });
});
