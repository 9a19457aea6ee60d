/** The adapter reads, and the stand-in tells, what GitHub was recorded to say: `@octokit/fixtures`, `@octokit/webhooks-examples`. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGitHubHost } from "../../src/adapter/github-host.js";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import type { LoopbackAnswer } from "../../src/adapter/stand-in/loopback.js";
import { isJsonObject } from "../../src/base/json.js";
import { strangers } from "../support/same-shape.js";
import { faultOf, never } from "./delivery.js";

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly response: unknown;
}

const PACKAGES = new URL("../../node_modules/@octokit/", import.meta.url);

function recorded(scenario: string): Recorded[] {
  const path = `fixtures/scenarios/api.github.com/${scenario}/normalized-fixture.json`;
  return JSON.parse(readFileSync(new URL(path, PACKAGES), "utf8")) as Recorded[];
}

interface Example {
  readonly name: string;
  readonly examples: readonly Record<string, unknown>[];
}

const examples = JSON.parse(
  readFileSync(new URL("webhooks-examples/api.github.com/index.json", PACKAGES), "utf8"),
) as Example[];

/** All examples of an event laid over one another: an optional key is there when one of them has it. */
function exampleOf(name: string, action?: string): Record<string, unknown> {
  const all = examples.find((event) => event.name === name)?.examples ?? [];
  const fitting = all.filter((example) => action === undefined || example.action === action);
  expect(fitting.length).toBeGreaterThan(0);
  return fitting.reduce((whole, example) => merge(whole, example) as Record<string, unknown>, {});
}

function merge(one: unknown, other: unknown): unknown {
  if (!isJsonObject(one) || !isJsonObject(other)) return other ?? one;
  const keys = [...Object.keys(one), ...Object.keys(other)];
  return Object.fromEntries(keys.map((key) => [key, merge(one[key], other[key])]));
}

let standIn: StandInGitHub;
const TOKEN = "ghp_x";
const WISH = {
  ...{ branch: "change", base: "main", title: "t", body: "b", message: "m" },
  files: [{ path: "a.yaml", text: "a: 2\n" }],
};

beforeEach(async () => {
  standIn = await startStandInGitHub({
    ...{ repository: "acme/shop", token: TOKEN, files: { "a.yaml": "a: 1\n" } },
    // Nobody is there: the list of deliveries is enough.
    webhook: { url: "http://127.0.0.1:9/", secret: "s" },
  });
});
afterEach(() => standIn.close());

const host = () =>
  createGitHubHost({
    ...{ repository: "acme/shop", apiUrl: standIn.url, timeoutMs: 2_000 },
    auth: { kind: "token", token: TOKEN },
  });

/** The next answers are the recorded ones. */
function replay(...answers: readonly Pick<Recorded, "status" | "response">[]): void {
  const given = answers.map(({ status, response }): LoopbackAnswer => ({ status, body: response }));
  standIn.misbehave(...given.map((answer) => ({ kind: "answer" as const, answer })));
}

async function tell(path: string, init: RequestInit = {}): Promise<unknown> {
  const url = `${standIn.url}/repos/acme/shop${path}`;
  const headers = { authorization: `token ${TOKEN}` };
  return (await fetch(url, { ...init, headers })).json();
}

describe("the adapter reads what was recorded", () => {
  const [repository] = recorded("get-repository");
  const [, madeRef] = recorded("git-refs");

  test("repository and branch", async () => {
    replay(repository!, madeRef!);
    expect(await host().head(never())).toEqual({
      branch: (repository!.response as { default_branch: string }).default_branch,
      commit: "0000000000000000000000000000000000000002",
    });
  });

  test("branch protection, off and on", async () => {
    const rules = { status: 404, response: { message: "Not Found" } };
    const seen = [];
    for (const { status, response } of recorded("branch-protection")) {
      if (!isJsonObject(response) || !("url" in response || status === 404)) continue;
      if (status !== 404 && !String(response.url).endsWith("/protection")) continue;
      // Both are asked for at once, the branch's own first.
      replay({ status, response }, rules);
      const found = await host().protection("main", never());
      seen.push([
        found.pullRequestRequired,
        found.staleDismissed,
        found.adminsIncluded,
        found.checks,
      ]);
    }
    expect(seen.slice(0, 3)).toEqual([
      [false, false, false, []],
      [false, false, false, []],
      [true, true, true, ["foo/bar"]],
    ]);
  });

  test("a refusal in its own words", async () => {
    const [invalid] = recorded("errors");
    replay(invalid!);
    expect(await faultOf(host().head(never()))).toMatchObject({
      ...{ kind: "data", code: "GITHUB_REFUSED" },
      message: expect.stringContaining("Validation Failed"),
      details: { status: 422 },
    });
  });
});

describe("the stand-in tells nothing that GitHub does not", () => {
  test("repository, branch and commit", async () => {
    const [repository] = recorded("get-repository");
    expect(strangers(await tell(""), repository!.response)).toEqual([]);
    const [, madeRef] = recorded("git-refs");
    expect(strangers(await tell("/git/ref/heads/main"), madeRef!.response)).toEqual([]);
    const [file] = recorded("create-file");
    const { commit } = file!.response as { commit: unknown };
    const sha = standIn.commits.branch("main");
    expect(strangers(await tell(`/git/commits/${sha}`), commit)).toEqual([]);
  });

  test("an unprotected branch, and a request that is not valid", async () => {
    const [unprotected] = recorded("branch-protection");
    const said = (await tell("/branches/main/protection")) as { message: string };
    expect(said.message).toBe((unprotected!.response as { message: string }).message);
    expect(strangers(said, unprotected!.response)).toEqual([]);
    const [invalid] = recorded("errors");
    const pull = { method: "POST", body: JSON.stringify({ head: "main", base: "main" }) };
    const refusal = await tell("/pulls", pull);
    // A custom error has words instead of a field.
    const { errors, ...rest } = invalid!.response as { errors: readonly object[] };
    const custom = { ...rest, errors: [{ ...errors[0], message: "words" }] };
    expect(strangers(refusal, custom)).toEqual([]);
  });

  test("pull requests and comments, as webhooks carry them", async () => {
    const wish = { ...WISH, commit: standIn.commits.branch("main")! };
    await host().openPullRequest(wish, never());
    await host().createComment(1, "hello", never());
    standIn.pulls.merge(1);
    await standIn.settled();
    const sent = standIn.deliveries().map(({ event, body }) => ({ event, body: JSON.parse(body) }));
    expect(sent.map(({ event, body }) => [event, body.action])).toEqual([
      ["pull_request", "opened"],
      ["push", undefined],
      ["pull_request", "closed"],
    ]);
    for (const { event, body } of sent)
      expect([event, strangers(body, exampleOf(event, body.action))]).toEqual([event, []]);
    const [comment] = (await tell("/issues/1/comments")) as unknown[];
    expect(strangers(comment, exampleOf("issue_comment", "created").comment)).toEqual([]);
    const [listed] = (await tell("/pulls?state=all")) as unknown[];
    expect(strangers(listed, exampleOf("pull_request", "opened").pull_request)).toEqual([]);
  });
});
