import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGitHubHost, type GitHubHostOptions } from "../../src/adapter/github-host.js";
import {
  type StandInGitHub,
  type StandInGitHubOptions,
  startStandInGitHub,
} from "../../src/adapter/stand-in/github.js";
import type { Misbehaviour } from "../../src/adapter/stand-in/loopback.js";
import type { NewPullRequest } from "../../src/review/port.js";
import { faultOf, never } from "./delivery.js";

const REPOSITORY = "acme/shop";
const TOKEN = "ghp_of-a-person";
const FILES = {
  "policies/algobrain/retention.yaml": "events_retention_days: 90\r\n# für immer\r\n",
  "policies/routes.yaml": "receivers: {}\n",
  "runbooks/catalogue.yaml": "a: built\n",
  "runbooks/a.ts": "// code\n",
  "README.md": "# shop\n",
};

let standIn: StandInGitHub;

async function begin(options: Partial<StandInGitHubOptions> = {}): Promise<void> {
  standIn = await startStandInGitHub({
    ...{ repository: REPOSITORY, token: TOKEN, files: FILES },
    ...options,
  });
}

beforeEach(() => begin());
afterEach(() => standIn.close());

const host = (options: Partial<GitHubHostOptions> = {}) =>
  createGitHubHost({
    ...{ repository: REPOSITORY, apiUrl: standIn.url, timeoutMs: 20_000 },
    ...{ auth: { kind: "token", token: TOKEN } },
    ...options,
  });

const answer = (status: number, body: unknown, headers = {}): Misbehaviour => ({
  kind: "answer",
  answer: { status, body, headers },
});

const BRANCH = "algobrain/change-0123456789ab";
const CHANGED = "events_retention_days: 60\r\n# für immer\r\n";

async function wish(overrides: Partial<NewPullRequest> = {}): Promise<NewPullRequest> {
  return {
    branch: BRANCH,
    commit: standIn.commits.branch("main")!,
    base: "main",
    files: [{ path: "policies/algobrain/retention.yaml", text: CHANGED }],
    ...{ title: "policy: shorter", body: "why", message: "policy: shorter\n" },
    ...overrides,
  };
}

const open = async (overrides: Partial<NewPullRequest> = {}) =>
  host().openPullRequest(await wish(overrides), never());

describe("reading", () => {
  test("the head is that of the default branch", async () => {
    const commit = standIn.commits.branch("main");
    expect(await host().head(never())).toEqual({ branch: "main", commit });
  });

  test("files come below the places that were asked for, byte for byte, with Git's names", async () => {
    const { commit } = await host().head(never());
    const files = await host().readFiles(
      commit,
      ["policies", "runbooks/catalogue.yaml", "missing"],
      never(),
    );
    expect(files.map(({ path, text }) => [path, text]).sort()).toEqual(
      Object.entries(FILES)
        .filter(([path]) => /^policies|catalogue/.test(path))
        .sort(),
    );
    // `printf 'receivers: {}\n' | git hash-object --stdin`
    const routes = files.find(({ path }) => path === "policies/routes.yaml");
    expect(routes?.sha).toBe("bd1ec6c141340bf1914b6defa2a637c418b1c337");
  });

  test("a content is fetched once", async () => {
    const reader = host();
    const { commit } = await reader.head(never());
    for (const _ of [1, 2]) await reader.readFiles(commit, ["policies"], never());
    const blobs = standIn.requests.filter((request) => request.includes("/git/blobs/"));
    expect(blobs).toHaveLength(2);
  });
});

describe("a pull request", () => {
  const commitsOf = (branch: string) => {
    const sha = standIn.commits.branch(branch)!;
    return standIn.commits.commit(sha)!;
  };

  test("is a branch with one commit that changes the one file", async () => {
    expect(await open()).toEqual({
      ...{ number: 1, branch: BRANCH, state: "open" },
      url: "https://github.com/acme/shop/pull/1",
    });
    const commit = commitsOf(BRANCH);
    expect(commit.parents).toEqual([standIn.commits.branch("main")]);
    expect([...standIn.commits.changes(commit.sha).keys()]).toEqual([
      "policies/algobrain/retention.yaml",
    ]);
    expect(standIn.commits.read(BRANCH)["policies/algobrain/retention.yaml"]).toBe(CHANGED);
  });

  test("asked for twice it is the same one, and nothing is written the second time", async () => {
    const first = await open();
    const calls = standIn.requests.length;
    expect(await open()).toEqual(first);
    const writes = standIn.requests.slice(calls).filter((request) => !request.startsWith("GET"));
    expect(writes).toEqual([]);
  });

  /** Each call of one whole try: those behind it are never made. */
  async function callsOfOneTry(): Promise<number> {
    await open();
    const { length } = standIn.requests;
    await standIn.close();
    await begin();
    return length;
  }

  test.each(["drop-answer", "silence", "refused"] as const)(
    "killed at any call (%s) and asked for again, there is one pull request with one commit",
    async (how) => {
      const calls = await callsOfOneTry();
      expect(calls).toBeGreaterThanOrEqual(7);
      for (let nth = 1; nth <= calls; nth++) {
        const honest = Array.from({ length: nth - 1 }, () => ({ kind: "honest" }) as const);
        standIn.misbehave(...honest, how === "refused" ? answer(502, "<html>") : { kind: how });
        const hasty = host({ timeoutMs: how === "silence" ? 60 : 2_000 });
        const fault = await faultOf(hasty.openPullRequest(await wish(), never()));
        expect([nth, fault.kind]).toEqual([nth, "transient"]);
        await open();
        expect([nth, standIn.pulls.list().length, standIn.commits.branches()]).toEqual([
          ...[nth, 1],
          ["main", BRANCH],
        ]);
        expect(commitsOf(BRANCH).parents).toEqual([standIn.commits.branch("main")]);
        await standIn.close();
        await begin();
      }
    },
  );

  test("two who ask at the same time get the same one", async () => {
    const [one, other] = await Promise.all([open(), open()]);
    expect(one).toEqual(other);
    expect(standIn.pulls.list()).toHaveLength(1);
  });

  test("a branch of that name with something else in it is left alone", async () => {
    const { commit } = await host().head(never());
    standIn.commits.setBranch(BRANCH, commit);
    expect(await faultOf(open())).toMatchObject({
      kind: "refused",
      code: "GITHUB_BRANCH_TAKEN",
      hint: expect.stringContaining("delete that branch"),
    });
    expect(standIn.pulls.list()).toEqual([]);
  });

  test("is found again in each of its states", async () => {
    expect(await host().findPullRequest(BRANCH, never())).toBeNull();
    await open();
    standIn.pulls.close(1);
    expect(await host().findPullRequest(BRANCH, never())).toMatchObject({ state: "closed" });
    await open({ branch: `${BRANCH}-2` });
    standIn.pulls.merge(2);
    expect(await host().findPullRequest(`${BRANCH}-2`, never())).toMatchObject({
      ...{ number: 2, state: "merged" },
    });
  });

  test("is closed without a merge; closed or merged already it stays so, and the answer says which", async () => {
    await open();
    const closed = { number: 1, branch: BRANCH, state: "closed" };
    for (const _ of [1, 2]) expect(await host().closePullRequest(1, never())).toMatchObject(closed);
    expect(standIn.commits.read("main")).toEqual(FILES);
    await open({ branch: "other" });
    standIn.pulls.merge(2);
    expect(await host().closePullRequest(2, never())).toMatchObject({ state: "merged" });
    expect(await faultOf(host().closePullRequest(9, never()))).toMatchObject({
      ...{ kind: "data", code: "GITHUB_REFUSED" },
    });
  });

  test("says whose its commits are, also of somebody whom the host does not know", async () => {
    await open();
    const ours = standIn.commits.branch(BRANCH)!;
    expect(await host().listCommits(1, never())).toEqual([
      { sha: ours, author: "ann", committer: "ann" },
    ]);
    const { by: _, ...foreign } = { ...commitsOf(BRANCH), parents: [ours], message: "more" };
    const { sha } = standIn.commits.addCommit(foreign);
    standIn.commits.setBranch(BRANCH, sha);
    expect(await host().listCommits(1, never())).toEqual([
      { sha: ours, author: "ann", committer: "ann" },
      { sha, author: null, committer: null },
    ]);
    // What the base has got meanwhile is none of its commits.
    await open({ branch: "other", files: [{ path: "README.md", text: "# new\n" }] });
    standIn.pulls.merge(2);
    expect(await host().listCommits(1, never())).toHaveLength(2);
  });

  test("merged it changes the base, which may have moved on meanwhile; reverted it is as before", async () => {
    await open();
    await open({ branch: "other", files: [{ path: "README.md", text: "# new\n" }] });
    standIn.pulls.merge(2);
    standIn.pulls.merge(1);
    expect(standIn.commits.read("main")).toMatchObject({
      "README.md": "# new\n",
      "policies/algobrain/retention.yaml": CHANGED,
    });
    standIn.pulls.revert(1);
    expect(standIn.commits.read("main")).toEqual({ ...FILES, "README.md": "# new\n" });
  });
});

describe("comments", () => {
  beforeEach(async () => void (await open()));

  test("are written, changed, listed over pages, and removed", async () => {
    for (let nth = 1; nth <= 65; nth++) standIn.addComment(1, "bob", `${nth}`);
    await host().createComment(1, "ours", never());
    await host().updateComment(66, "ours, changed", never());
    const comments = await host().listComments(1, never());
    expect(comments).toHaveLength(66);
    expect(comments.at(-1)).toEqual({ id: 66, author: "ann", body: "ours, changed" });
    await host().deleteComment(66, never());
    await host().deleteComment(66, never());
    expect(standIn.comments()).toHaveLength(65);
  });

  test("the token of a workflow is the workflow, since it may not ask who it is", async () => {
    expect(await host().whoAmI(never())).toBe("ann");
    await standIn.close();
    await begin({ login: null });
    expect(await host().whoAmI(never())).toBe("github-actions[bot]");
  });
});

describe("as an app", () => {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2_048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    // As GitHub hands it out.
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  const app = { appId: 12, installationId: 7, slug: "algobrain", privateKey };
  const asApp = (overrides = {}) => host({ auth: { kind: "app", ...app, ...overrides } });

  test("it signs in once, and writes in its own name", async () => {
    await standIn.close();
    await begin({ app });
    const one = asApp();
    await one.openPullRequest(await wish(), never());
    await one.createComment(1, "hello", never());
    expect(await one.whoAmI(never())).toBe("algobrain[bot]");
    expect(standIn.comments()[0]?.author).toBe("algobrain[bot]");
    expect(standIn.tokensIssued()).toBe(1);
  });

  test("a key that is none waits for a person, and is not quoted", async () => {
    const fault = await faultOf(asApp({ privateKey: "-----BEGIN nothing" }).head(never()));
    expect(fault).toMatchObject({ kind: "waiting", code: "GITHUB_UNAUTHORIZED" });
    expect(JSON.stringify([fault.message, fault.hint, fault.details])).not.toContain("BEGIN");
  });
});

describe("refusals say what happens next", () => {
  const read = (options = {}) => faultOf(host(options).head(never()));
  const GONE = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800" };

  test.each([
    ["bad credentials", answer(401, { message: "Bad credentials" }), "waiting", "UNAUTHORIZED"],
    ["may not", answer(403, { message: "Resource not accessible" }), "waiting", "UNAUTHORIZED"],
    ["its limit is used up", answer(403, { message: "limit" }, GONE), "waiting", "RATE_LIMITED"],
    ["too fast", answer(429, {}, { "retry-after": "7" }), "waiting", "RATE_LIMITED"],
    ["gone", answer(404, { message: "Not Found" }), "data", "REFUSED"],
    ["moved", answer(301, {}, { location: "https://else.example" }), "data", "REDIRECTED"],
    ["ill", answer(503, "<html>unicorn"), "transient", "FAILED"],
    ["cut off", { kind: "drop-answer" } as const, "transient", "UNREACHABLE"],
  ])("%s", async (_, misbehaviour, kind, code) => {
    standIn.misbehave(misbehaviour);
    expect(await read()).toMatchObject({ kind, code: `GITHUB_${code}` });
  });

  test("a secondary limit without a time waits a minute, and closes the gate for all", async () => {
    standIn.misbehave(answer(403, { message: "You have exceeded a secondary rate limit." }));
    expect(await read()).toMatchObject({ retryAfterMs: 60_000, asksAll: true });
  });

  test("no answer in time is given up", async () => {
    standIn.misbehave({ kind: "silence" });
    expect(await read({ timeoutMs: 50 })).toMatchObject({ code: "GITHUB_TIMED_OUT" });
  });

  test("a caller who is stopped is not kept waiting", async () => {
    expect(await faultOf(host().head(AbortSignal.abort()))).toMatchObject({
      code: "GITHUB_ABORTED",
    });
  });

  test("the token is in no sentence", async () => {
    const fault = await read({ auth: { kind: "token", token: "ghp_wrong" } });
    expect(fault.code).toBe("GITHUB_UNAUTHORIZED");
    expect(`${fault.message} ${fault.hint} ${JSON.stringify(fault.details)}`).not.toContain("ghp_");
  });
});

describe("protection", () => {
  const protection = () => host().protection("main", never());
  const PULL = {
    type: "pull_request",
    ...{ ruleset_source_type: "Repository", ruleset_source: REPOSITORY, ruleset_id: 5 },
    parameters: {
      ...{ required_approving_review_count: 1, require_code_owner_review: true },
      ...{ dismiss_stale_reviews_on_push: true, require_last_push_approval: false },
      required_review_thread_resolution: false,
    },
  };

  test("a branch without any is known to have none", async () => {
    expect(await protection()).toMatchObject({
      ...{ known: true, pullRequestRequired: false, forcePush: true },
    });
  });

  test("what may not be seen is unknown, never on", async () => {
    standIn.setProtection("hidden");
    expect(await protection()).toMatchObject({ known: false, pullRequestRequired: false });
  });

  test("rulesets count, and administrators only where nobody may pass", async () => {
    standIn.setProtection("hidden");
    standIn.setRules([PULL, { type: "non_fast_forward" }, { type: "deletion" }], {
      5: { id: 5, name: "main", bypass_actors: [] },
    });
    expect(await protection()).toEqual({
      ...{ known: true, pullRequestRequired: true, reviews: 1, codeOwners: true },
      ...{ staleDismissed: true, adminsIncluded: true, checks: [] },
      ...{ forcePush: false, deletion: false },
    });
    standIn.setRules([PULL], { 5: { id: 5, name: "main" } });
    expect(await protection()).toMatchObject({ adminsIncluded: false });
  });
});
