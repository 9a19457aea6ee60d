import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { readPolicyFiles } from "../support/policy-files.js";
import { type Answer, cli } from "./support.js";

let github: StandInGitHub;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-comment-"));
  github = await startStandInGitHub({
    ...{ repository: "acme/shop", token: "ghs_job", login: null, files: readPolicyFiles() },
  });
  const main = github.commits.branch("main")!;
  const { tree } = github.commits.commit(main)!;
  const commit = { tree, parents: [main], message: "x", at: new Date(0) };
  github.commits.setBranch("change", github.commits.addCommit(commit).sha);
  github.pulls.open({ head: "change", base: "main", title: "x", body: "", author: "ann" });
});
afterEach(async () => {
  await github.close();
  await rm(folder, { recursive: true });
});

const env = (more: Readonly<Record<string, string>> = {}) => ({
  ...{ GITHUB_TOKEN: "ghs_job", GITHUB_API_URL: github.url, GITOPS_REPO: "acme/shop" },
  ...more,
});

async function comment(
  report: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const file = join(folder, "report.md");
  await writeFile(file, report);
  return cli(["comment", "--key", "policy", "--pr", "1", "--file", file], { env: env(more) });
}

const bodies = () =>
  github.comments().map(({ author, body }) => [author, body.split("\n").slice(1)]);

describe("comment", () => {
  test("writes one, leaves it alone while nothing changes, and then changes it in place", async () => {
    expect(await comment("two rules")).toMatchObject({ code: 0, out: "comment created\n" });
    const calls = github.requests.length;
    expect((await comment("two rules")).out).toBe("comment unchanged\n");
    expect(github.requests.slice(calls).every((request) => request.startsWith("GET"))).toBe(true);
    expect((await comment("three rules")).out).toBe("comment updated\n");
    expect(bodies()).toEqual([["github-actions[bot]", ["three rules"]]]);
  });

  test("what the branch has put into it mentions nobody and stays short", async () => {
    await comment(`@ann <img> fixes #1\n\n${"## more\n".repeat(20_000)}`);
    const [{ body } = { body: "" }] = github.comments();
    expect(body).toContain("@\u200Bann &lt;img> fixes #\u200B1");
    expect(body.length).toBeLessThan(60_200);
  });

  test("where it may not write, the summary of the job has it, and the job goes on", async () => {
    github.setReadOnly(true);
    const summary = join(folder, "summary.md");
    expect(await comment("two rules", { GITHUB_STEP_SUMMARY: summary })).toMatchObject({
      ...{ code: 0, out: "403: written to the job summary\n" },
    });
    expect(await readFile(summary, "utf8")).toBe("two rules\n");
    expect(await comment("two rules")).toMatchObject({
      code: 0,
      out: expect.stringContaining("two rules"),
    });
  });

  test("without credentials names them, and any other refusal fails", async () => {
    expect(await comment("x", { GITHUB_TOKEN: "" })).toMatchObject({
      ...{ code: 1, err: expect.stringContaining("GITHUB_TOKEN") },
    });
    github.misbehave({ kind: "answer", answer: { status: 404, body: { message: "Not Found" } } });
    expect((await comment("x")).code).toBe(1);
    expect((await cli(["comment", "--key", "policy", "--pr", "x", "--file", "y"])).code).toBe(2);
  });
});

describe("policy change", () => {
  const change = (...args: string[]) =>
    cli(["policy", "change", ...args], { env: env({ ALGOBRAIN_HOME: folder }) });

  test("shows the line and what it means, and opens nothing with --dry-run", async () => {
    const path = "alerts.queue-depth-high.levels.high.value";
    const args = ["--reason", "too early", "--env", "production", "--dry-run"];
    const { code, out } = await change(path, "1200", ...args);
    expect([code, out]).toEqual([0, expect.stringMatching(/^-.*value: 1000.*\n\+.*value: 1200/m)]);
    expect(out).toMatch(/^looser {2}AR-06.*\nnothing was opened \(--dry-run\)$/m);
    expect(github.pulls.list()).toHaveLength(1);
  });

  test("says what to set where no repository is configured, and wants a reason", async () => {
    const path = "retention.events_retention_days";
    expect(await cli(["policy", "change", path, "60", "--reason", "x"])).toMatchObject({
      ...{ code: 1, err: expect.stringContaining("set GITOPS_REPO") },
    });
    expect((await change(path, "60")).code).toBe(2);
    expect((await change("retention", "60", "--reason", "x")).code).toBe(2);
  });
});
