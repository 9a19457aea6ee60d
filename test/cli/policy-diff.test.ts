/** `policy diff` and `policy show` as people call them: against a folder, against a commit, and asked wrongly. */

import { once } from "node:events";
import { cp, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SHIPPED } from "../policy/shipped.js";
import { git, makeRepository } from "../support/git-repository.js";
import { cli, expectAligned, ROOT } from "./support.js";

let work: string;
beforeAll(async () => {
  work = await realpath(await mkdtemp(join(tmpdir(), "algobrain-diff-")));
  // The first commit is what is shipped; the folder beside .git then changes.
  const files = Object.fromEntries(SHIPPED.map(({ path, text }) => [path, text]));
  await makeRepository(work, [
    { author: "Ann <ann@example.com>", at: "2026-01-01T00:00:00Z", files },
  ]);
  git(work, "checkout", "--quiet", "--force", "main");
  await edit("algobrain/retention.yaml", "events_retention_days: 90", "events_retention_days: 60");
  await edit("algobrain/environments/staging.yaml", "max: 12", "max: 13");
});
afterAll(() => rm(work, { recursive: true, force: true }));

async function edit(file: string, from: string, to: string): Promise<void> {
  const path = join(work, "policies", file);
  const text = await readFile(path, "utf8");
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
}

const diff = (...args: string[]) =>
  cli(["policy", "diff", ...args], { cwd: work, env: { PATH: process.env.PATH! } });

const EVENTS =
  "irreversible  events_retention_days  kept 90 days → 60 days: what is older than 60 days is deleted";

describe("policy diff", () => {
  test("with a commit says the same change once for all environments that have it", async () => {
    const answer = await diff("main");
    expect(answer).toMatchObject({ code: 0, err: "" });
    expect(answer.out.split("\n")).toEqual([
      "local and production:",
      `  ${EVENTS}`,
      "staging:",
      "  looser  scaling workers  most tasks 12 → 13: may grow and cost more",
      "",
    ]);
  });

  test("with a folder, in one environment, needs no Git", async () => {
    const answer = await diff(join(ROOT, "policies"), "--env", "production");
    expect(answer).toMatchObject({ code: 0, err: "" });
    expect(answer.out).toBe(`${EVENTS}\n`);
  });

  test("with itself finds nothing", async () => {
    const { code, out } = await diff("policies");
    expect([code, out]).toEqual([
      0,
      "nothing changes what the policies mean (compared with policies)\n",
    ]);
  });

  test("as JSON", async () => {
    const { out } = await diff("main", "--format", "json");
    const commit = git(work, "rev-parse", "main").slice(0, 12);
    expect(JSON.parse(out)).toMatchObject({
      ...{ ok: true, base: `main at ${commit}`, worst: "irreversible", notes: [] },
      groups: [
        {
          title: "local and production",
          changes: [{ section: "retention", risk: "irreversible" }],
        },
        { title: "staging", changes: [{ section: "scaling", risk: "looser" }] },
      ],
    });
  });

  test("as a comment in a file, safe against what a branch writes into names", async () => {
    await edit("routes.yaml", 'channel: "#algobrain-ops"', 'channel: "#ops"');
    await edit("access.yaml", "name: Example Viewer", 'name: "@everyone | <b>"');
    const { code, out } = await diff("main", "--format", "markdown", "--out", "policy.md");
    const comment = await readFile(join(work, "policy.md"), "utf8");
    expect([code, out]).toEqual([
      0,
      `4 changes since main at ${git(work, "rev-parse", "main").slice(0, 12)}: written to policy.md\n`,
    ]);
    expect(comment).toMatch(/^### 🚨 Policy changes: 1 irreversible, 2 looser, 1 neutral\n/);
    expect(comment).toContain("#### local and production");
    expect(comment).toContain(
      "| 🚨 irreversible | events\\_retention\\_days | kept 90 days → 60 days",
    );
    expect(comment).not.toMatch(/@everyone|<b>|[^\\]\| <b/);
    await edit("routes.yaml", 'channel: "#ops"', 'channel: "#algobrain-ops"');
    await edit("access.yaml", 'name: "@everyone | <b>"', "name: Example Viewer");
  });

  test("with a side that has problems says them, also in the comment, and fails", async () => {
    const broken = join(work, "broken");
    await cp(join(ROOT, "policies"), broken, { recursive: true });
    await writeFile(join(broken, "algobrain/healing.yaml"), "enabled: perhaps\n");
    const text = await diff("broken");
    expect(text.code).toBe(1);
    expect(text.out).toMatch(
      /^broken\/algobrain\/healing\.yaml:1:10: found "perhaps", expected true or false/m,
    );
    const comment = await diff("broken", "--format", "markdown");
    expect(comment.code).toBe(1);
    expect(comment.out).toMatch(
      /^### 🚨 The policies have \d+ problems: nothing can be compared\n/,
    );
    const json = await diff("broken", "--format", "json");
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      problems: [{ line: 1 }, {}, {}, {}, {}],
    });
  });

  test.each([
    [
      ["mian"],
      1,
      'this repository has no commit "mian"\nhint: name a folder with policies or a commit',
    ],
    [["--output=x"], 2, 'unknown option "--output"'],
    [["--", "--all"], 1, 'this repository has no commit "--all"'],
    [[], 2, "BASE is missing"],
    [
      ["main", "--env", "prod"],
      2,
      '--env: found "prod", expected local, production, staging (did you mean "production"?)',
    ],
    [["main", "--format", "md"], 2, "expected text, markdown, json"],
    [["test"], 1, "no policy directory"],
  ])("%j is refused", async (args, code, said) => {
    const answer = await cli(["policy", "diff", ...args], {
      cwd: args[0] === "test" ? ROOT : work,
      env: { PATH: process.env.PATH! },
    });
    expect(answer.code, answer.err).toBe(code);
    expect(answer.err).toContain(
      said === "no policy directory" ? '"test" holds no policies' : said,
    );
  });
});

describe("policy diff with a runtime", () => {
  const override = { id: 1, owner: "ann", reason: "slow disk", until: "2026-03-01T12:00:00Z" };
  const drift = [{ name: "workers.index.concurrency", policyValue: 4, value: 2, override }];
  const asked: string[] = [];
  let answer: { status: number; body: string };
  let url: string;
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(answer.status).end(answer.body);
  });
  beforeAll(async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  test("says what holds there, also of one that is not well", async () => {
    answer = { status: 503, body: JSON.stringify({ status: "unhealthy", drift }) };
    const { code, out } = await diff("policies", "--running", `${url}/`);
    expect([code, out.split("\n").slice(1)]).toEqual([
      0,
      [
        `In force now, against the policies (${url}):`,
        "  workers.index.concurrency  2 (the policy: 4)  ann  slow disk  2026-03-01T12:00:00Z",
        "",
      ],
    ]);
    expect(asked).toEqual(["GET /health"]);
    const json = await diff("policies", "--running", url, "--format", "json");
    expect(JSON.parse(json.out).inForce).toMatchObject({ held: [{ value: "2" }] });
  });

  test("is told of it by ALGOBRAIN_URL, and by nothing when that is empty", async () => {
    answer = { status: 200, body: JSON.stringify({ drift: [] }) };
    const ask = (ALGOBRAIN_URL: string) =>
      cli(["policy", "diff", "policies", "--format", "markdown"], {
        ...{ cwd: work, env: { PATH: process.env.PATH!, ALGOBRAIN_URL } },
      });
    expect((await ask(url)).out).toContain(`${url}: nothing`);
    expect((await ask("")).out).not.toContain("In force now");
    expect(await ask("nowhere")).toMatchObject({
      ...{ code: 0, out: expect.stringContaining("ALGOBRAIN\\_URL could not be asked") },
    });
  });

  test.each([
    ["something else", 200, "<html>", "it answered 200 with something else than its health"],
    ["too much", 200, "x".repeat(1_048_577), "answer is larger than 1048576 bytes"],
  ])("that answers %s fails nothing", async (_what, status, body, said) => {
    answer = { status, body };
    const { code, out } = await diff("policies", "--running", url);
    expect([code, out]).toEqual([0, expect.stringContaining(`could not be asked: ${said}`)]);
  });

  test.each(["ftp://x", "x", "https://ann:secret@x"])("%s is no address", async (typed) => {
    const { code, err } = await diff("policies", "--running", typed);
    expect([code, err]).toEqual([2, expect.stringContaining("expected an address such as")]);
    expect(err).not.toContain("secret");
  });
});

const show = (...args: string[]) => cli(["policy", "show", ...args], { cwd: work });

describe("policy show", () => {
  test("a value with the line that says it", async () => {
    const { code, out } = await show("retention.events_retention_days", "--env", "staging");
    expect(code).toBe(0);
    expectAligned(out);
    expect(out.split("\n")[2]).toMatch(
      /^retention\.events_retention_days +14 +policies\/algobrain\/environments\/staging\.yaml:\d+$/,
    );
  });

  test("a section, with what nobody wrote as a default", async () => {
    const { out } = await show("retention");
    expect(out).toMatch(
      /^retention\.events_retention_days +60 +policies\/algobrain\/retention\.yaml:6$/m,
    );
    expect(out).toMatch(/^retention\.audit_retention_days +none +default$/m);
  });

  test("everything, as JSON", async () => {
    const { out } = await show("--json");
    const values = JSON.parse(out) as { path: string; from: string; file: string | null }[];
    expect(values.length).toBeGreaterThan(500);
    expect(values.find(({ path }) => path === "infrastructure.cluster")).toMatchObject({
      ...{ value: "algobrain-prod", from: "overlay" },
      file: "policies/algobrain/environments/production.yaml",
    });
  });

  test.each([
    ["retention.evnts_retention_days", 'did you mean "retention.events_retention_days"?'],
    ["retentoin", 'did you mean "retention"?'],
    ["alerts..x", 'did you mean "alerts"?'],
  ])("%s is none", async (path, said) => {
    const answer = await show(path);
    expect(answer.code).toBe(2);
    expect(answer.err).toContain(said);
  });
});
