import { expect, test } from "vitest";
import { createGitHubClient } from "../../src/adapter/github.js";
import { startLoopback } from "../../src/adapter/stand-in/loopback.js";
import { GitHubBudget } from "../../src/runtime/github-budget.js";
import { githubSource } from "../../src/runtime/sample/github.js";

const NOW = new Date("2026-11-22T03:00:00Z");
const RESET = NOW.getTime() / 1_000 + 1_800;

const headers = (overrides: Record<string, string> = {}) => ({
  "x-ratelimit-limit": "5000",
  "x-ratelimit-remaining": "250",
  "x-ratelimit-reset": String(RESET),
  "x-ratelimit-resource": "core",
  ...overrides,
});

/** What is left after GitHub has answered with these headers, one answer after the other. */
async function leftAfter(...answers: readonly Record<string, string>[]): Promise<number | null> {
  const budget = new GitHubBudget();
  const left = [...answers];
  const github = await startLoopback(async () => ({
    ...{ status: 200, headers: left.shift() ?? {}, body: { login: "ann" } },
  }));
  const auth = { kind: "token", token: "ghp_x" } as const;
  const client = createGitHubClient({ auth, apiUrl: github.url, onBudget: budget.note });
  for (const _ of answers)
    await client.call(new AbortController().signal, "us", (octokit, request) =>
      octokit.users.getAuthenticated({ request }),
    );
  await github.close();
  const [sample] = await githubSource(budget, async () => null).collect(NOW);
  return sample?.value ?? null;
}

test("AR-37 sees the least of what the policies' host and the workers have left", async () => {
  const share = async (own: number | null, shared: number | null) => {
    const source = githubSource({ remaining: () => own }, async () => shared);
    return (await source.collect(NOW))[0]?.value ?? null;
  };
  expect(await share(0.5, 0.2)).toBe(0.2);
  expect(await share(0.1, 0.2)).toBe(0.1);
  expect(await share(null, 0.3)).toBe(0.3);
  expect(await share(null, null)).toBeNull();
});

test.each([
  ["what the last answer says", [headers({ "x-ratelimit-remaining": "4000" }), headers()], 0.05],
  ["nothing of another limit", [headers({ "x-ratelimit-resource": "search" })], null],
  ["nothing where GitHub says nothing", [{}], null],
  ["nothing of what is no number", [headers({ "x-ratelimit-remaining": "many" })], null],
  ["nothing of a limit that is none", [headers({ "x-ratelimit-limit": "0" })], null],
  ["nothing once the limit has begun anew", [headers({ "x-ratelimit-reset": "1" })], null],
  ["at least nothing left", [headers({ "x-ratelimit-remaining": "-3" })], 0],
] as const)("AR-37 sees %s", async (_, answers, left) => {
  expect(await leftAfter(...answers)).toBe(left);
});
