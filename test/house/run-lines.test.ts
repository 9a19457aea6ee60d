/**
 * The lines that the check workflow runs, run here, in a checkout as the runner has it and against a stand-in for
 * GitHub. Lines that are the suite itself stand in .ci/run instead: running them here would never end.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { startLoopback } from "../../src/adapter/stand-in/loopback.js";
import { isJsonObject, type JsonObject } from "../../src/base/json.js";
import { git, withFolder } from "../support/git-repository.js";
import { lendToFile } from "../support/lend.js";
import { ROOT } from "./source-tree.js";

const REPO = "acme/policies";
const TOKEN = "ghs_of-the-workflow";
const RETENTION = "policies/algobrain/retention.yaml";
const LINE_TIMEOUT_MS = 60_000;
/** Five programs one after the other, on a machine that does other things as well. */
const LINES_TIMEOUT_MS = 120_000;

const workflow = load(readFileSync(join(ROOT, ".github/workflows/check.yml"), "utf8"));

interface Step {
  readonly name: string;
  readonly run: string;
  readonly env: JsonObject;
}

function stepsOf(job: string): Step[] {
  const jobs = isJsonObject(workflow) && isJsonObject(workflow.jobs) ? workflow.jobs : {};
  const found = jobs[job];
  const steps = isJsonObject(found) && Array.isArray(found.steps) ? found.steps : [];
  return steps.filter(isJsonObject).flatMap(({ name, run, env }) => {
    if (typeof run !== "string") return [];
    return [{ name: String(name), run: run.trim(), env: isJsonObject(env) ? env : {} }];
  });
}

/** Of the suite, or of what it needs: these a runner repeats word for word. */
const IS_SUITE = /^(npm (ci|test|run (format:check|lint|types))|scripts\/install-\w+\.sh)$/;

describe("a line of the suite", () => {
  const lines = [...stepsOf("check"), ...stepsOf("policy"), ...stepsOf("comment")]
    .map(({ run }) => run)
    .filter((line) => IS_SUITE.test(line));
  const local = readFileSync(join(ROOT, ".ci/run"), "utf8")
    .split("\n")
    .map((line) => line.replace(/--silent /, "").replace(/ <\/dev\/null.*/, ""))
    .map((line) => line.replace(/^(?:[A-Z_]+=\S+ )+/, "").trim());

  test.each([...new Set(lines)])("%s is a step of .ci/run, too", (line) => {
    expect(local).toContain(line);
  });

  test("is all that the job for every Node runs", () => {
    expect(stepsOf("check").filter(({ run }) => !IS_SUITE.test(run))).toEqual([]);
  });
});

interface Ground {
  /** As after checkout and `npm ci`: HEAD is the merge, HEAD^1 what it would be merged into. */
  readonly checkout: string;
  readonly summary: string;
  readonly github: StandInGitHub;
}

const ground = lendToFile<Ground>((work) =>
  withFolder(async (folder) => {
    const github = await startStandInGitHub({
      ...{ repository: REPO, token: TOKEN, login: null, files: { "a.txt": "a" } },
    });
    try {
      openPullRequest(github);
      await work({ ...makeCheckout(folder), github });
    } finally {
      await github.close();
    }
  }),
);

function makeCheckout(folder: string): Omit<Ground, "github"> {
  const checkout = join(folder, "checkout");
  mkdirSync(checkout);
  for (const part of ["bin", "policies", "runbooks", "scripts", ".github", "package.json"])
    cpSync(join(ROOT, part), join(checkout, part), { recursive: true });
  writeFileSync(join(checkout, ".gitignore"), "node_modules\ndist\nsrc\n");
  for (const part of ["node_modules", "dist", "src"])
    symlinkSync(join(ROOT, part), join(checkout, part));
  const commit = (message: string) => {
    git(checkout, "add", ".");
    git(checkout, "-c", "user.name=ann", "-c", "user.email=a@b.c", "commit", "-qm", message);
  };
  git(checkout, "init", "-q", "--initial-branch=main");
  commit("as it is");
  const file = join(checkout, RETENTION);
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/^(events_retention_days: )\d+/m, "$1365"));
  commit("a longer memory");
  return { checkout, summary: join(folder, "summary.md") };
}

function openPullRequest({ commits, pulls }: StandInGitHub): void {
  const parents = [commits.branch("main")!];
  const tree = commits.addTree(new Map([["a.txt", commits.addBlob("b")]]));
  const { sha } = commits.addCommit({ tree, parents, message: "b", at: new Date() });
  commits.setBranch("longer", sha);
  const opened = pulls.open({
    ...{ head: "longer", base: "main", title: "b", body: "", author: "ann" },
  });
  if (typeof opened === "string") throw new Error(opened);
}

/** What GitHub puts in for the expressions that the workflow uses. */
const CONTEXT: Readonly<Record<string, string>> = {
  "github.token": TOKEN,
  "github.repository": REPO,
  "github.event.pull_request.number": "1",
  "vars.ALGOBRAIN_URL": "",
  "secrets.ALGOBRAIN_VIEWER_TOKEN": "",
};

function fill(value: unknown): string {
  return String(value).replace(/\$\{\{\s*([\w.]+)\s*\}\}/g, (_, name: string) => {
    const known = CONTEXT[name];
    if (known === undefined) throw new Error(`this test knows no ${name}: add it to CONTEXT`);
    return known;
  });
}

interface Said {
  readonly code: number;
  readonly out: string;
}

/** As the runner does it: bash, which ends at the first failure. */
function runStep(
  job: string,
  name: string,
  given: Readonly<Record<string, string>> = {},
): Promise<Said> {
  const step = stepsOf(job).find((one) => one.name === name);
  if (!step) throw new Error(`the job ${job} has no step ${name}`);
  const { checkout, summary, github } = ground();
  const env = {
    ...{ PATH: process.env.PATH, HOME: process.env.HOME },
    ...{ GITHUB_STEP_SUMMARY: summary, GITHUB_API_URL: github.url },
    ...Object.fromEntries(Object.entries(step.env).map(([key, value]) => [key, fill(value)])),
    ...given,
  };
  const bash = ["--noprofile", "--norc", "-eo", "pipefail", "-c", step.run];
  return new Promise((resolve) => {
    execFile("bash", bash, { cwd: checkout, env, timeout: LINE_TIMEOUT_MS }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, out: `${out}${err}` });
    });
  });
}

const steps = (job: string) => stepsOf(job).filter(({ run }) => !IS_SUITE.test(run));

/** What the first job stores and the second fetches. */
function handOver(): void {
  const { checkout } = ground();
  for (const part of ["policy.md", "policies"])
    cpSync(join(checkout, part), join(checkout, "proposed", part), { recursive: true });
}

/** In the order of the workflow: a later line needs what an earlier one made. */
describe("a pull request that changes a number", { timeout: LINES_TIMEOUT_MS }, () => {
  test("passes every line of the job that explains it", async () => {
    for (const { name } of steps("policy")) {
      const { code, out } = await runStep("policy", name);
      expect(code, `${name}: ${out}`).toBe(0);
    }
    const { checkout, summary } = ground();
    for (const file of [join(checkout, "policy.md"), summary])
      expect(readFileSync(file, "utf8")).toMatch(/events_retention_days|eventsDays|365/);
  });

  test("gets one comment, and no second one when it is explained again", async () => {
    expect(steps("comment").map(({ name }) => name)).toEqual(["Impact", "Comment"]);
    handOver();
    const { code, out } = await runStep("comment", "Impact");
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("no token") });
    for (const word of ["created", "unchanged"]) {
      const { code, out } = await runStep("comment", "Comment");
      expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining(word) });
    }
    expect(ground().github.comments()).toMatchObject([
      { pull: 1, author: "github-actions[bot]", body: expect.stringContaining("365") },
    ]);
  });

  test("hears what its alerts would have done, from the runtime that recorded", async () => {
    const asked: string[] = [];
    const api = await startLoopback(async ({ path, headers }) => {
      asked.push(`${path} ${headers.authorization}`);
      return { status: 503, body: {} };
    });
    const alerts = join(ground().checkout, "proposed/policies/algobrain/alerts/queues.yaml");
    const text = readFileSync(alerts, "utf8");
    writeFileSync(alerts, text.replace(/(queue-depth-high:[\s\S]*?value: )\d+/, "$17"));
    const { code, out } = await runStep("comment", "Impact", { URL: api.url, TOKEN: "a-viewer" });
    await api.close();
    writeFileSync(alerts, text);
    expect(asked[0]).toBe("/api/v1/samples/history Bearer a-viewer");
    expect({ code, out }).toEqual({ code: 0, out: expect.not.stringContaining("a-viewer") });
    const report = readFileSync(join(ground().checkout, "proposed/policy.md"), "utf8");
    // A runtime that does not answer spoils no comment, and is no "no effect".
    expect(report).toMatch(/365[\s\S]*cannot tell/i);
  });

  test("by whom may not write comments fails nothing, and is explained in the summary", async () => {
    const { github, checkout, summary } = ground();
    writeFileSync(join(checkout, "proposed/policy.md"), "# another word\n");
    writeFileSync(summary, "");
    github.setReadOnly(true);
    const { code } = await runStep("comment", "Comment");
    github.setReadOnly(false);
    expect(code).toBe(0);
    expect(readFileSync(summary, "utf8")).toContain("another word");
  });
});

describe("a pull request that breaks a policy", { timeout: LINES_TIMEOUT_MS }, () => {
  test("fails at the line that says where, as an annotation, and the comment says it as well", async () => {
    const { checkout, github } = ground();
    const file = join(checkout, RETENTION);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/^events_retention_days: .*/m, "events_retention_days: soon"));
    const { code, out } = await runStep("policy", "Problems");
    const changes = await runStep("policy", "Changes");
    writeFileSync(file, text);
    handOver();
    expect([code, changes.code]).toEqual([1, 1]);
    expect(out).toMatch(/^::error file=policies\/algobrain\/retention\.yaml,line=\d+/m);
    expect((await runStep("comment", "Comment")).out).toContain("updated");
    expect(github.comments()).toMatchObject([{ body: expect.stringContaining("1 problem") }]);
  });
});
