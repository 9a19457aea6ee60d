/** Workflows run with little power, on code that cannot change under them, and hold no logic. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { isJsonObject, type Json, type JsonObject } from "../../src/base/json.js";
import { COMMAND_NAMES } from "../../src/cli.js";
import { listFiles, ROOT } from "./source-tree.js";

/** Looked up, never remembered: invented pins have the right first half and a wrong tail. */
const KNOWN_PINS: Readonly<Record<string, readonly [version: string, sha: string]>> = {
  "actions/checkout": ["v4.2.2", "11bd71901bbe5b1630ceea73d27597364c9af683"],
  "actions/setup-node": ["v4.4.0", "49933ea5288caeca8642d1e84afbd3f7d6820020"],
  "actions/download-artifact": ["v4.3.0", "d3f86a106a0bac45b974a628896c90dbdf5c8093"],
  "actions/upload-artifact": ["v4.6.2", "ea165f8d65b6e75b540449e92b4886f43607fa02"],
  "aws-actions/configure-aws-credentials": ["v4.1.0", "ececac1a45f3b08a01d2dd070d28d111c5fe6722"],
  "hashicorp/setup-terraform": ["v3.1.2", "b9cd54a3c349d3f38e8881555d616ced269862dd"],
};

const paths = listFiles(".github/workflows").filter((path) => /\.ya?ml$/.test(path));

interface Workflow {
  readonly path: string;
  readonly text: string;
  readonly tree: JsonObject;
}

function read(path: string): Workflow {
  const text = readFileSync(join(ROOT, path), "utf8");
  const tree: unknown = load(text);
  if (!isJsonObject(tree)) throw new Error(`${path}: not a mapping`);
  return { path, text, tree };
}

function stepsOf({ tree }: Workflow): JsonObject[] {
  const jobs = isJsonObject(tree.jobs) ? Object.values(tree.jobs) : [];
  return jobs.flatMap((job) => (isJsonObject(job) ? objects(job.steps) : []));
}

function objects(value: Json | undefined): JsonObject[] {
  return (Array.isArray(value) ? value : []).filter((item) => isJsonObject(item));
}

/** Every `uses:` with the comment behind it: a parser would drop the comment. */
function usesOf({ text }: Workflow) {
  return [...text.matchAll(/^\s*(?:-\s+)?uses:\s*(\S+)(?:\s+#\s*(\S+))?/gm)].map(
    ([, action, comment]) => ({ action: action!, comment }),
  );
}

test("there is a workflow that checks every change", () => {
  expect(paths).toContain(".github/workflows/check.yml");
});

describe.each(paths.map(read))("$path", (workflow) => {
  test("runs only what is local, or pinned to a looked-up commit with its version beside it", () => {
    const wrong = usesOf(workflow).filter(({ action, comment }) => {
      if (action.startsWith("./")) return false;
      const [name, ref] = action.split("@");
      const pin = KNOWN_PINS[name!.split("/").slice(0, 2).join("/")];
      return pin === undefined || pin[0] !== comment || pin[1] !== ref;
    });
    expect(wrong, "look the commit up, and add it to KNOWN_PINS").toEqual([]);
  });

  test("grants at most reading at the top", () => {
    expect([{}, { contents: "read" }]).toContainEqual(workflow.tree.permissions);
  });

  test("leaves no token behind in a checkout", () => {
    const checkouts = stepsOf(workflow).filter(({ uses }) =>
      String(uses).startsWith("actions/checkout@"),
    );
    for (const { with: inputs } of checkouts)
      expect(inputs).toMatchObject({ "persist-credentials": false });
  });

  test("never runs a stranger's code with our secrets, nor a stranger's text as code", () => {
    expect(workflow.text).not.toContain("pull_request_target");
    for (const { run } of stepsOf(workflow))
      expect(String(run ?? "")).not.toContain("github.event");
  });

  test("every job ends by itself", () => {
    const jobs = isJsonObject(workflow.tree.jobs) ? Object.entries(workflow.tree.jobs) : [];
    for (const [name, job] of jobs)
      expect(isJsonObject(job) && job["timeout-minutes"], `job ${name}`).toBeTypeOf("number");
  });

  test("calls scripts that exist: there is no logic in YAML", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const lines = stepsOf(workflow).flatMap(({ run }) =>
      String(run ?? "")
        .trim()
        .split("\n"),
    );
    for (const line of lines.filter((one) => one !== "")) {
      const script = line.match(/^npm (?:run )?(?:--silent )?(\S+)/)?.[1];
      const known =
        script === "ci" || script === "test" || (script !== undefined && script in scripts);
      expect(known || existsSync(join(ROOT, line.split(" ")[0]!)), line).toBe(true);
    }
  });

  test("runs one program a line: no pipe, no condition, nothing of GitHub's inside", () => {
    for (const { run } of stepsOf(workflow))
      expect(String(run ?? "")).not.toMatch(/[|&;<>`]|\$\(|\$\{\{|\n(?=\s*(if|for)\b)/);
  });

  test("names only commands that the bin has", () => {
    const lines = stepsOf(workflow).map(({ run }) => String(run ?? ""));
    const named = lines.flatMap((line) => /^bin\/algobrain\.js (\S+)/.exec(line)?.[1] ?? []);
    expect(named.filter((name) => !COMMAND_NAMES.includes(name))).toEqual([]);
  });
});

test("what a pull request means is told also of one that fails before: no comment is an old one", () => {
  const { tree } = read(".github/workflows/check.yml");
  const jobs = isJsonObject(tree.jobs) ? tree.jobs : {};
  const { policy, comment } = jobs;
  const steps = isJsonObject(policy) ? objects(policy.steps) : [];
  const first = steps.findIndex(({ name }) => name === "Changes");
  const telling = steps.slice(first);
  expect(telling.map(({ name, uses }) => String(name ?? uses).split("@")[0])).toEqual([
    ...["Changes", "Summary", "actions/upload-artifact"],
  ]);
  // A step without a condition of its own does not run after one that failed.
  for (const step of telling) expect(step.if).toMatch(/^\$\{\{ !cancelled\(\) \}\}$/);
  expect(comment).toMatchObject({ needs: "policy", if: expect.stringContaining("!cancelled()") });
});

describe("who may write", () => {
  const jobs = paths
    .map(read)
    .flatMap(({ path, tree }) =>
      Object.entries(isJsonObject(tree.jobs) ? tree.jobs : {}).flatMap(([name, job]) =>
        isJsonObject(job) ? [{ place: `${path} ${name}`, job }] : [],
      ),
    );
  const grants = ({ permissions }: JsonObject) =>
    Object.entries(isJsonObject(permissions) ? permissions : {}).filter(
      ([, value]) => value !== "read",
    );
  const checkouts = (job: JsonObject) =>
    objects(job.steps).filter(({ uses }) => String(uses).startsWith("actions/checkout@"));

  test("is the job that comments, and it writes nothing but on the pull request", () => {
    const writing = jobs.filter(({ job }) => grants(job).length > 0);
    expect(writing.map(({ place, job }) => [place, grants(job)])).toEqual([
      [".github/workflows/check.yml comment", [["pull-requests", "write"]]],
    ]);
  });

  test("is never who runs the code of the pull request", () => {
    const writing = jobs.filter(({ job }) => grants(job).length > 0);
    for (const { job } of writing)
      for (const { with: inputs } of checkouts(job))
        expect(inputs).toMatchObject({
          ref: expect.stringMatching(/^\$\{\{ github\.event\.pull_request\.base\.sha \}\}$/),
        });
  });

  test("is never there for a fork, whose pull request is a stranger's", () => {
    const writing = jobs.filter(({ job }) => grants(job).length > 0);
    for (const { job } of writing)
      expect(job.if).toMatch(
        /(^|&& )github\.event\.pull_request\.head\.repo\.full_name == github\.repository( \}\})?$/,
      );
  });

  test("is not a cache: what the pull request has put into one is not taken out by who may write", () => {
    const writing = jobs.filter(({ job }) => grants(job).length > 0);
    for (const { job } of writing) expect(JSON.stringify(job.steps)).not.toContain('"cache"');
  });

  test("gets the token by the environment, in the one step that needs it", () => {
    const holders = jobs.flatMap(({ place, job }) =>
      objects(job.steps)
        .filter(({ env }) => JSON.stringify(env ?? {}).includes("github.token"))
        .map(({ name }) => `${place}: ${name}`),
    );
    expect(holders).toEqual([".github/workflows/check.yml comment: Comment"]);
  });
});
