/** What jobs read of GitHub, against a stand-in that answers as GitHub is recorded to (HB-wrk-02). */
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GitHubAuth } from "../../src/adapter/github.js";
import { createGitHubSource, type GitHubSourceOptions } from "../../src/adapter/github-source.js";
import {
  type StandInOrg,
  type StandInOrgOptions,
  startStandInOrg,
} from "../../src/adapter/stand-in/github-org.js";
import { SecretText } from "../../src/base/secret-text.js";
import type { SourceHost, SourceRepo } from "../../src/job/source-port.js";
import { faultOf, never } from "./delivery.js";

const TOKEN = "ghp_of-a-person";
const AUTH: GitHubAuth = { kind: "token", token: TOKEN };
const OPEN = { take: async () => async () => {} };

let github: StandInOrg;

async function begin(options: Partial<StandInOrgOptions> = {}): Promise<void> {
  github = await startStandInOrg({ org: "acme", token: TOKEN, ...options });
}

async function beginAgain(options: Partial<StandInOrgOptions>): Promise<void> {
  await github.close();
  await begin(options);
}

beforeEach(() => begin());
afterEach(() => github.close());

const source = (options: Partial<GitHubSourceOptions> = {}): SourceHost =>
  createGitHubSource({
    ...{ auth: AUTH, apiUrl: github.url, gate: OPEN, timeoutMs: 30_000 },
    ...options,
  });

const FIRST = { page: null, etag: null };

/** Of each page, what it was answered with. */
async function listAll(host: SourceHost, owner = "acme") {
  const pages: { names: string[]; page: string | null; etag: string | null }[] = [];
  let page: string | null = null;
  do {
    const answer = await host.listRepos(owner, { page, etag: null }, never());
    if (answer === "unchanged") throw new Error("nothing was known");
    pages.push({ names: answer.items.map(({ name }) => name), page, etag: answer.etag });
    page = answer.next;
  } while (page !== null);
  return pages;
}

describe("a listing", () => {
  beforeEach(() => {
    for (let nth = 0; nth < 250; nth++)
      github.add({ name: `repo-${String(nth).padStart(3, "0")}` });
  });

  test("comes in pages of a hundred, each repository once, one request a page", async () => {
    const pages = await listAll(source());
    expect(pages.map(({ names }) => names.length)).toEqual([100, 100, 50]);
    expect(new Set(pages.flatMap(({ names }) => names)).size).toBe(250);
    expect(github.requests()).toHaveLength(3);
  });

  test("asked for again with its tags it is unchanged, and costs nothing of the limit", async () => {
    const host = source();
    const pages = await listAll(host);
    const before = github.limits.remaining;
    for (const { page, etag } of pages)
      expect(await host.listRepos("acme", { page, etag }, never())).toBe("unchanged");
    expect(github.limits.remaining).toBe(before);
    github.change("repo-120", { archived: true });
    const seen = [];
    for (const { page, etag } of pages) {
      const answer = await host.listRepos("acme", { page, etag }, never());
      seen.push(answer === "unchanged" ? answer : answer.items.length);
    }
    expect(seen).toEqual(["unchanged", 100, "unchanged"]);
  });

  test("a person's repositories are found where an organisation's are not", async () => {
    github.transfer("repo-007", "ann");
    expect((await listAll(source(), "ann")).map(({ names }) => names)).toEqual([["repo-007"]]);
    expect(await faultOf(source().listRepos("nobody", FIRST, never()))).toMatchObject({
      ...{ kind: "data", code: "GITHUB_OWNER_UNKNOWN" },
    });
  });

  test.each([
    ["another host", (url: string) => url.replace("127.0.0.1", "localhost")],
    ["a name of ours on another host", () => "https://evil.example/repositories/1"],
    ["a file", () => "file:///etc/passwd"],
    ["nothing", () => ""],
  ])("a page that leads to %s is not asked for", async (_, other) => {
    const page = other(`${github.url}/orgs/acme/repos?page=2`);
    const asked = github.requests().length;
    const fault = await faultOf(source().listRepos("acme", { page, etag: null }, never()));
    expect(fault).toMatchObject({ kind: "data", code: "GITHUB_REDIRECTED" });
    expect(github.requests()).toHaveLength(asked);
  });
});

describe("one repository", () => {
  const byName = (name: string, host = source()) => host.repo({ owner: "acme", name }, never());

  test("is read whole", async () => {
    const pushedAt = new Date("2026-11-01T10:00:00Z");
    const updatedAt = new Date("2026-11-02T10:00:00Z");
    const added = github.add({ name: "shop", fork: true, size: 17, pushedAt, updatedAt });
    const expected: SourceRepo = {
      host: new URL(github.url).host,
      githubId: added.id,
      ...{ owner: "acme", name: "shop", cloneUrl: `${github.url}/acme/shop.git` },
      ...{ defaultBranch: "main", isPrivate: true, isFork: true, isArchived: false },
      ...{ isDisabled: false, sizeKb: 17, pushedAt, updatedAt },
    };
    expect(await byName("shop")).toEqual(expected);
    expect(await source().repo({ githubId: added.id }, never())).toEqual(expected);
  });

  test("under a former name it is followed to its new one, with one more request", async () => {
    const { id } = github.add({ name: "shop" });
    github.rename("shop", "store");
    expect(await byName("shop")).toMatchObject({ githubId: id, name: "store" });
    expect(github.requests()).toEqual(["GET /repos/acme/shop 301", `GET /repositories/${id} 200`]);
  });

  test("that was deleted or taken down is gone", async () => {
    github.add({ name: "shop" });
    github.remove("shop");
    expect(await byName("shop")).toBe("gone");
    github.misbehave(
      { kind: "answer", answer: { status: 451, body: { message: "Unavailable" } } },
      { kind: "answer", answer: { status: 403, body: { message: "Repository access blocked" } } },
    );
    expect([await byName("shop"), await byName("shop")]).toEqual(["gone", "gone"]);
  });

  test.each([
    "https://evil.example/repositories/1",
    "/orgs/acme/hooks",
    "/repositories/1/../../user",
    "//evil.example/repositories/1",
  ])("a redirect to %s is not followed", async (location) => {
    github.misbehave({ kind: "answer", answer: { status: 301, headers: { location }, body: {} } });
    expect(await faultOf(byName("shop"))).toMatchObject({ code: "GITHUB_REDIRECTED" });
    expect(github.requests()).toEqual([]);
  });

  test("a redirect is followed once, not round and round", async () => {
    const location = `${github.url}/repositories/5`;
    const moved = {
      kind: "answer",
      answer: { status: 301, headers: { location }, body: {} },
    } as const;
    github.misbehave(moved, moved, moved);
    expect(await faultOf(byName("shop"))).toMatchObject({ code: "GITHUB_REDIRECTED" });
    // Two of the three were met; the last leads to a repository that is not there.
    expect(await byName("shop")).toBe("gone");
  });

  test.each(["..", ".", "a/b", "a b", "", "x".repeat(101), "a?b", "ä"])(
    "%j is no name, and nothing is asked",
    async (name) => {
      expect(await faultOf(byName(name))).toMatchObject({ code: "GITHUB_NAME_INVALID" });
      expect(github.requests()).toEqual([]);
    },
  );

  test.each([
    ["no id", { id: "1" }],
    ["a name that leads elsewhere", { name: ".." }],
    ["an owner that leads elsewhere", { owner: { login: "../x" } }],
    ["no time", { updated_at: "yesterday" }],
    ["a time that no database takes", { updated_at: "+275760-09-13T00:00:00Z" }],
  ])("an answer with %s is refused by the name of its member", async (_, wrong) => {
    const good = {
      ...{ id: 1, name: "shop", owner: { login: "acme" }, updated_at: "2026-11-01T10:00:00Z" },
    };
    const body = { ...good, ...wrong };
    github.misbehave({ kind: "answer", answer: { status: 200, body } });
    expect(await faultOf(byName("shop"))).toMatchObject({ code: "GITHUB_ANSWER_INVALID" });
  });

  test("git is sent to the host that we know, whatever the answer claims", async () => {
    const claimed = "https://evil.example/x.git";
    github.add({ name: "shop", cloneUrl: claimed, defaultBranch: "--upload-pack=touch" });
    const found = await byName("shop");
    expect(found).toMatchObject({
      cloneUrl: `${github.url}/acme/shop.git`,
      defaultBranch: null,
    });
  });
});

describe("what happened in a repository", () => {
  test("pull requests and releases come in pages, and none of what is gone", async () => {
    const pulls = Array.from({ length: 130 }, (_, nth) => ({ number: nth + 1 }));
    github.add({ name: "shop", pulls, releases: [{ id: 1, tag_name: "v1" }] });
    const repo = (await source().repo({ owner: "acme", name: "shop" }, never())) as SourceRepo;
    const first = await source().pulls(repo, { page: null }, never());
    const second = await source().pulls(repo, { page: first.next }, never());
    expect([first.items.length, second.items.length, second.next]).toEqual([100, 30, null]);
    expect((await source().releases(repo, { page: null }, never())).items).toEqual([
      { id: 1, tag_name: "v1" },
    ]);
    github.remove("shop");
    expect(await source().pulls(repo, { page: null }, never())).toEqual({ items: [], next: null });
  });
});

describe("the log of deliveries", () => {
  const at = new Date("2026-11-22T03:00:00Z");

  test("is newest first, in pages, with what was sent", async () => {
    for (let nth = 1; nth <= 120; nth++)
      github.log({
        guid: `g-${nth}`,
        event: "push",
        at,
        status: nth === 7 ? 0 : 200,
        payload: { nth },
      });
    const host = source();
    const first = await host.deliveries("acme", { page: null }, never());
    if (first === "hidden") throw new Error("they are not");
    expect([first.items.length, first.items[0]?.guid]).toEqual([100, "g-120"]);
    const rest = await host.deliveries("acme", { page: first.next }, never());
    if (rest === "hidden") throw new Error("they are not");
    const missed = rest.items.filter(({ status }) => status !== 200);
    expect(missed).toEqual([{ id: 900_006, guid: "g-7", event: "push", at, status: 0 }]);
    expect(await host.delivery("acme", missed[0]!.id, never())).toEqual({
      ...{ guid: "g-7", event: "push", body: { nth: 7 } },
    });
    expect(await host.delivery("acme", 5, never())).toBeNull();
    // As large as an answer may be, and more: the others are still read.
    github.log({ guid: "g-big", event: "push", at, status: 0, payload: { x: "x".repeat(9e6) } });
    expect(await host.delivery("acme", 900_120, never())).toBeNull();
  });

  test.each([
    ["may not be read", { hooksVisible: false }],
    ["is not there", { hookUrl: null }],
    ["leads elsewhere", { hookUrl: "https://else.example/hook" }],
  ])("is hidden where the hook %s", async (_, options) => {
    await beginAgain(options);
    expect(await source().deliveries("acme", { page: null }, never())).toBe("hidden");
    expect(await source().delivery("acme", 1, never())).toBeNull();
  });

  test("a limit is no sign that it is hidden", async () => {
    github.limits.refuse("secondary", 60_000);
    expect(await faultOf(source().deliveries("acme", { page: null }, never()))).toMatchObject({
      code: "GITHUB_RATE_LIMITED",
    });
  });
});

describe("a lent token", () => {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2_048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  const app = { appId: 12, installationId: 7, slug: "algobrain", privateKey };

  test("is asked for at each request, and is git's credential too", async () => {
    const tokens = ["ghp_old", TOKEN, TOKEN];
    const auth: GitHubAuth = {
      kind: "lent",
      token: async () => new SecretText(tokens.shift() ?? ""),
    };
    github.add({ name: "shop" });
    const host = source({ auth });
    expect(await faultOf(host.listRepos("acme", FIRST, never()))).toMatchObject({
      code: "GITHUB_UNAUTHORIZED",
    });
    expect(await host.listRepos("acme", FIRST, never())).toMatchObject({ next: null });
    expect((await host.gitCredential(never()))?.reveal()).toBe(TOKEN);
  });

  test("an app's own key is nothing that git is given", async () => {
    await beginAgain({ app });
    github.add({ name: "shop" });
    const host = source({ auth: { kind: "app", ...app } });
    expect(await host.listRepos("acme", FIRST, never())).toMatchObject({ next: null });
    expect(await host.gitCredential(never())).toBeNull();
  });
});
