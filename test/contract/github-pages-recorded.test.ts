/** What GitHub was recorded to answer (`@octokit/fixtures`), read as jobs read it: repositories, renames, pages, refusals. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGitHubSource } from "../../src/adapter/github-source.js";
import {
  type Loopback,
  type LoopbackAnswer,
  type LoopbackRequest,
  startLoopback,
} from "../../src/adapter/stand-in/loopback.js";
import type { SeenLimits } from "../../src/base/request-budget.js";
import type { SourceRepo } from "../../src/job/source-port.js";
import { faultOf, never } from "./delivery.js";

interface Recorded {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly response: unknown;
}

const SCENARIOS = new URL(
  "../../node_modules/@octokit/fixtures/scenarios/api.github.com/",
  import.meta.url,
);
const ORG = "octokit-fixture-org";
/** Of the recording; those of the connection itself are the server's. */
const HEADERS = ["link", "etag", "location", "date", "x-ratelimit-limit", "x-ratelimit-remaining"];
/** The recordings have it at the begin of time. */
const RESET = { "x-ratelimit-reset": String(Date.parse("2017-10-10T16:10:00Z") / 1_000) };

let github: Loopback;
let tape: Recorded[] = [];
const asked: string[] = [];
let seen: SeenLimits[] = [];

/** A scenario, as if this machine were GitHub. */
function play(...scenarios: readonly string[]): void {
  const texts = scenarios.map((name) =>
    readFileSync(new URL(`${name}/normalized-fixture.json`, SCENARIOS), "utf8"),
  );
  tape = texts.flatMap(
    (text) => JSON.parse(text.replaceAll("https://api.github.com", github.url)) as Recorded[],
  );
}

function replay({ method, path, query }: LoopbackRequest): LoopbackAnswer {
  asked.push(path);
  const whole = query.size === 0 ? path : `${path}?${query}`;
  const isAsked = (one: Recorded) =>
    one.method.toUpperCase() === method && (one.path === whole || one.path === path);
  const found = tape.find(isAsked);
  if (!found) return { status: 404, body: { message: `not on the tape: ${whole}` } };
  const headers = HEADERS.flatMap((name) => {
    const value = found.headers[name];
    return value === undefined ? [] : [[name, String(value)] as const];
  });
  return {
    ...{ status: found.status, body: found.response },
    headers: { ...Object.fromEntries(headers), ...RESET },
  };
}

beforeEach(async () => {
  github = await startLoopback(replay);
  asked.length = 0;
  seen = [];
});
afterEach(() => github.close());

const source = () =>
  createGitHubSource({
    auth: { kind: "token", token: "0".repeat(40) },
    ...{ apiUrl: github.url, timeoutMs: 30_000 },
    gate: { take: async () => async (limits) => void (limits && seen.push(limits)) },
  });

test("a repository", async () => {
  play("get-repository");
  const found = await source().repo({ owner: ORG, name: "hello-world" }, never());
  const response = tape[0]!.response as Record<string, unknown>;
  expect(found).toMatchObject({
    ...{ githubId: 1000, owner: ORG, name: "hello-world", isPrivate: false, isFork: false },
    ...{ isArchived: response.archived, sizeKb: response.size },
    ...{ defaultBranch: response.default_branch },
    pushedAt: new Date(String(response.pushed_at)),
    updatedAt: new Date(String(response.updated_at)),
  });
});

test("what is left of the limit, by GitHub's own clock", async () => {
  play("get-repository");
  await source().repo({ owner: ORG, name: "hello-world" }, never());
  const { headers } = tape[0]!;
  expect(seen).toEqual([
    {
      window: {
        limit: Number(headers["x-ratelimit-limit"]),
        remaining: Number(headers["x-ratelimit-remaining"]),
        resetInMs: 600_000,
      },
      ...{ refusal: null, isWell: true },
    },
  ]);
});

test("a renamed repository is found under its former name", async () => {
  play("rename-repository");
  const found = await source().repo({ owner: ORG, name: "rename-repository" }, never());
  expect(found).toMatchObject({ githubId: 1000, name: "rename-repository-newname" });
  expect(asked).toEqual([`/repos/${ORG}/rename-repository`, "/repositories/1000"]);
});

test("all pages of a listing, each once, by the links that GitHub gives", async () => {
  play("paginate-issues");
  const first = tape[0]!;
  tape = [{ ...first, path: "/repositories/1000/releases" }, ...tape];
  const repo = { githubId: 1000, owner: ORG, name: "paginate-issues" } as SourceRepo;
  const found: number[] = [];
  let page: string | null = null;
  do {
    const answer = await source().releases(repo, { page }, never());
    found.push(...answer.items.map(({ number }) => Number(number)));
    page = answer.next;
  } while (page !== null);
  expect(found).toEqual(Array.from({ length: 13 }, (_, nth) => 13 - nth));
  expect(asked).toHaveLength(5);
});

test("an archive is somewhere else, and our token is not sent there", async () => {
  play("get-archive");
  tape = [{ ...tape[0]!, path: "/repos/acme/shop" }];
  expect(await faultOf(source().repo({ owner: "acme", name: "shop" }, never()))).toMatchObject({
    ...{ kind: "data", code: "GITHUB_REDIRECTED" },
  });
  expect(asked).toHaveLength(1);
});

test("a refusal in its own words, which says nothing against the next request", async () => {
  play("errors");
  tape = [{ ...tape[0]!, method: "get", path: "/repos/acme/shop" }];
  const fault = await faultOf(source().repo({ owner: "acme", name: "shop" }, never()));
  expect(fault).toMatchObject({ kind: "data", code: "GITHUB_REFUSED" });
  expect(fault.message).toContain("Validation Failed");
  expect(seen[0]).toMatchObject({ refusal: null, isWell: true });
});
