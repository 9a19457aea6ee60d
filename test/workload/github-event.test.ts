/** What is read of a webhook body, which says what it likes. */
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { eventRepo, eventTime, followUpsOf, formerName } from "../../src/workload/github-event.js";

const CAME = new Date("2026-06-15T12:00:00Z");
const repository = { id: 7, clone_url: "https://github.com/Acme/Widgets.git" };

describe("when it happened", () => {
  const cases: readonly [string, string, JsonObject, string][] = [
    [
      "a push: when GitHub took it, in seconds, not what the author's clock said",
      "push",
      { repository: { pushed_at: 1781512000 }, head_commit: { timestamp: "1999-01-01T00:00:00Z" } },
      new Date(1781512000_000).toISOString(),
    ],
    [
      "a push of before GitHub told it: the commit's time, when that is credible",
      "push",
      { head_commit: { timestamp: "2026-06-01T10:00:00+02:00" } },
      "2026-06-01T08:00:00.000Z",
    ],
    [
      "a review: when it was submitted",
      "pull_request_review",
      {
        review: { submitted_at: "2026-06-03T00:00:00Z" },
        pull_request: { updated_at: "2026-06-04T00:00:00Z" },
      },
      "2026-06-03T00:00:00.000Z",
    ],
    [
      "a time in the future: when it came",
      "issues",
      { issue: { updated_at: "9999-12-31T00:00:00Z" } },
      CAME.toISOString(),
    ],
    [
      "a time before GitHub: when it came",
      "issues",
      { issue: { updated_at: "-000001-01-01T00:00:00Z" } },
      CAME.toISOString(),
    ],
    ["nonsense: when it came", "issues", { issue: { updated_at: "soon" } }, CAME.toISOString()],
    [
      "numbers out of range: when it came",
      "push",
      { repository: { pushed_at: 1e300 } },
      CAME.toISOString(),
    ],
  ];
  it.each(cases)("%s", (_, eventType, body, expected) => {
    expect(eventTime(eventType, body, CAME).toISOString()).toBe(expected);
  });
});

describe("which repository", () => {
  it("is told by GitHub's id and by its name", () => {
    expect(eventRepo({ repository })).toEqual({
      ...{ host: "github.com", githubId: 7, canonical: "github.com/acme/widgets" },
    });
  });

  it.each([
    {},
    { repository: null },
    { repository: { clone_url: "ext::sh -c id" } },
    { repository: [] },
  ])("is none for %j", (body) => {
    expect(eventRepo(body as JsonObject)).toBeNull();
  });

  it("has an id only when it is a number that can be one", () => {
    for (const id of [-1, 0, 1.5, 2 ** 53, "7", null])
      expect(eventRepo({ repository: { ...repository, id } })).toMatchObject({ githubId: null });
  });

  it.each([
    [{ repository: { name: { from: "Old" } } }, "github.com/acme/old"],
    [{ owner: { from: { user: { login: "Ada" } } } }, "github.com/ada/widgets"],
    [{ owner: { from: { organization: { login: "umbrella" } } } }, "github.com/umbrella/widgets"],
    [{ repository: { name: { from: "Widgets" } } }, null],
    [{ description: { from: "a" } }, null],
  ])("was called differently before %j", (changes, expected) => {
    const body = { repository, changes } as JsonObject;
    expect(formerName("repository", body)?.canonical ?? null).toBe(expected);
    expect(formerName("push", body)).toBeNull();
  });
});

describe("what follows", () => {
  const push = { ref: "refs/heads/main", repository: { default_branch: "main" } };
  const cases: readonly [string, string, JsonObject, { sync: boolean; score: boolean }][] = [
    ["a push to the default branch", "push", push, { sync: true, score: true }],
    ["one to another", "push", { ...push, ref: "refs/heads/x" }, { sync: true, score: false }],
    ["the branch deleted", "push", { ...push, deleted: true }, { sync: true, score: false }],
    [
      "a merge",
      "pull_request",
      { action: "closed", pull_request: { merged: true } },
      { sync: true, score: true },
    ],
    [
      "a pull request given up",
      "pull_request",
      { action: "closed", pull_request: { merged: false } },
      { sync: false, score: false },
    ],
    ["a release", "release", { action: "published" }, { sync: true, score: true }],
    ["a release edited", "release", { action: "edited" }, { sync: true, score: false }],
    ["a review", "pull_request_review", { action: "submitted" }, { sync: false, score: true }],
    ["a rename", "repository", { action: "renamed" }, { sync: true, score: false }],
    ["a star", "star", { action: "created" }, { sync: false, score: false }],
  ];
  it.each(cases)("from %s", (_, eventType, body, expected) => {
    expect(followUpsOf(eventType, body)).toEqual(expected);
  });
});
