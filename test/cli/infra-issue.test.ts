/** The one issue of a concern: opened, kept up to date, closed by one word alone. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { type Answer, cli } from "./support.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-issue-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(name: string, content: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
}

function infra(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return cli(["infra", ...args], { cwd: folder, env });
}

describe("infra issue", () => {
  let github: StandInGitHub;
  beforeEach(async () => {
    github = await startStandInGitHub({
      repository: "acme/shop",
      token: "ghs_job",
      login: null,
      files: {},
    });
  });
  afterEach(() => github.close());

  async function issue(report: string, state: string): Promise<Answer> {
    const file = await put("drift.md", report);
    const stateFile = await put("state", `${state}\n`);
    const env = { GITHUB_TOKEN: "ghs_job", GITHUB_API_URL: github.url, GITOPS_REPO: "acme/shop" };
    return infra(
      ["issue", "--key", "drift-production", "--file", file, "--state-file", stateFile],
      env,
    );
  }
  const issues = () => github.issues().map(({ number, title, state }) => [number, title, state]);

  test("is opened once, updated in place, and closed by the word clean alone", async () => {
    expect(await issue("## Clean", "clean")).toMatchObject({
      code: 0,
      out: "nothing to say, and no issue is open\n",
    });
    expect((await issue("## Drift of `one`\nx", "drifted")).out).toBe("issue 1 opened\n");
    expect((await issue("## Drift of `one`\nx", "drifted")).out).toBe("issue unchanged\n");
    expect((await issue("## Not known", "failed")).out).toBe("issue 1 updated\n");
    expect((await issue("## Known", "only-known")).out).toBe("issue 1 updated\n");
    expect((await issue("## Known", "")).out).toBe("issue unchanged\n");
    expect(issues()).toEqual([[1, "Known", "open"]]);
    expect((await issue("## Clean", "clean")).out).toBe("issue 1 closed\n");
    expect(issues()).toEqual([[1, "Clean", "closed"]]);
    expect((await issue("## Again", "drifted")).out).toBe("issue 2 opened\n");
  });

  test("a stranger's issue with our marker is left alone, and a second one of ours is closed", async () => {
    await issue("## Drift", "drifted");
    const [{ body } = { body: "" }] = github.issues();
    github.addIssue("mallory", body);
    github.addIssue("github-actions[bot]", body);
    expect((await issue("## More @ann", "drifted")).out).toBe("issue 1 updated\n");
    expect(issues().map(([, , state]) => state)).toEqual(["open", "open", "closed"]);
    expect(github.issues()[0]?.body).toContain("@\u200Bann");
  });

  test("a look that has left no report is told, and closes nothing", async () => {
    await issue("## Drift", "drifted");
    const env = { GITHUB_TOKEN: "ghs_job", GITHUB_API_URL: github.url, GITOPS_REPO: "acme/shop" };
    const missing = ["--file", "none/drift.md", "--state-file", "none/state"];
    const told = (...more: string[]) =>
      infra(["issue", "--key", "drift-production", ...missing, ...more], env);
    expect((await told()).code).toBe(1);
    const run = "https://github.example/acme/shop/actions/runs/7";
    expect(await told("--run", run)).toMatchObject({ code: 0, out: "issue 1 updated\n" });
    expect(issues()).toEqual([[1, "⚠️ drift-production: it is not known", "open"]]);
    expect(github.issues()[0]?.body).toContain(run);
    expect((await told("--run", "javascript:alert(1)")).code).toBe(2);
  });

  test("without credentials it names them", async () => {
    const file = await put("f", "x");
    const args = ["issue", "--key", "k", "--file", file, "--state-file", file, "--repo", "a/b"];
    expect(await infra(args)).toMatchObject({
      code: 1,
      err: expect.stringContaining("GITHUB_TOKEN"),
    });
  });
});
