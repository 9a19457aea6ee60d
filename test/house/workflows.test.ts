/** Workflows run with little power, on code that cannot change under them, and hold no logic. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { isJsonObject, type Json, type JsonObject } from "../../src/base/json.js";
import { infraCommand } from "../../src/cli/infra.js";
import { COMMAND_NAMES } from "../../src/cli.js";
import { STACK_ORDER } from "../../src/policy/stack-order.js";
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

function jobsOf({ tree }: Workflow): [name: string, job: JsonObject][] {
  const jobs = isJsonObject(tree.jobs) ? Object.entries(tree.jobs) : [];
  return jobs.flatMap(([name, job]) => (isJsonObject(job) ? [[name, job]] : []));
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
    for (const [name, job] of jobsOf(workflow)) {
      // A job that is another workflow ends with that one's jobs, which are held to this too: GitHub takes no time there.
      if (job.uses !== undefined)
        expect(
          paths.map((path) => `./${path}`),
          `job ${name}`,
        ).toContain(job.uses);
      else expect(job["timeout-minutes"], `job ${name}`).toBeTypeOf("number");
    }
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
      expect(known || existsSync(join(ROOT, line.replace(/^exec /, "").split(" ")[0]!)), line).toBe(
        true,
      );
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
    const verbs = lines.flatMap((line) => / infra (\S+)/.exec(line)?.[1] ?? []);
    const known = infraCommand.forms.map(({ usage }) => usage.split(" ")[1]);
    expect(verbs.filter((verb) => !known.includes(verb))).toEqual([]);
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

/** What is granted besides reading, and to whom: nobody else, and nothing more. */
const GRANTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "check.yml comment": { "pull-requests": "write" },
  "plan.yml plan": { "id-token": "write" },
  "unlock.yml unlock": { "id-token": "write" },
  "plan.yml comment": { "pull-requests": "write" },
  "apply.yml staging": { "id-token": "write" },
  "apply.yml production": { "id-token": "write" },
  ...Object.fromEntries(
    STACK_ORDER.map((part) => [`apply-environment.yml ${part}`, { "id-token": "write" }]),
  ),
  "apply-environment.yml publish": { "id-token": "write" },
  "apply-stack.yml plan": { "id-token": "write" },
  "apply-stack.yml apply": { "id-token": "write" },
  "drift.yml look": { "id-token": "write" },
  "drift.yml tell": { issues: "write" },
  "drift.yml tell-again-staging": { issues: "write" },
  "drift.yml tell-again-production": { issues: "write" },
  "drift.yml heal-staging": { "id-token": "write" },
  "drift.yml heal-production": { "id-token": "write" },
  "drift-tell.yml tell": { issues: "write" },
  "drift-heal.yml heal": { "id-token": "write" },
  "deploy.yml build": { "id-token": "write" },
  "deploy.yml production": { "id-token": "write" },
};

const BASE = "$" + "{{ github.event.pull_request.base.sha }}";

describe("who may write, or take a role in the cloud", () => {
  const all = paths.map(read).flatMap((workflow) =>
    jobsOf(workflow).map(([name, job]) => {
      const place = `${workflow.path.split("/").at(-1)} ${name}`;
      return { place, job, isOfPullRequest: "pull_request" in eventsOf(workflow) };
    }),
  );
  const grants = ({ permissions }: JsonObject) =>
    Object.entries(isJsonObject(permissions) ? permissions : {}).filter(
      ([, value]) => value !== "read",
    );
  const powerful = all.filter(({ job }) => grants(job).length > 0);
  const ofPullRequests = powerful.filter(({ isOfPullRequest }) => isOfPullRequest);
  const checkouts = (job: JsonObject) =>
    objects(job.steps).filter(({ uses }) => String(uses).startsWith("actions/checkout@"));

  test("is written down here, job by job", () => {
    const found = powerful.map(({ place, job }) => [place, Object.fromEntries(grants(job))]);
    expect(Object.fromEntries(found)).toEqual(GRANTS);
  });

  test("holds one power, never two: who may write on GitHub knows no cloud", () => {
    for (const { place, job } of powerful) expect(grants(job), place).toHaveLength(1);
  });

  test("is never who runs the code of the pull request", () => {
    expect(ofPullRequests.length).toBeGreaterThan(0);
    for (const { job, place } of ofPullRequests) {
      expect(checkouts(job).length, place).toBeGreaterThan(0);
      for (const { with: inputs } of checkouts(job)) expect(inputs).toMatchObject({ ref: BASE });
    }
  });

  test("is never there for a fork, whose pull request is a stranger's", () => {
    for (const { job, place } of ofPullRequests)
      expect(job.if, place).toMatch(
        /(^|&& )github\.event\.pull_request\.head\.repo\.full_name == github\.repository( \}\})?$/,
      );
  });

  test("is not a cache: what the pull request has put into one is not taken out by who may write", () => {
    for (const { job, place } of powerful)
      expect(JSON.stringify(job.steps ?? []), place).not.toContain('"cache"');
  });

  test("gets the token by the environment, in the one step that needs it", () => {
    const holders = all.flatMap(({ place, job }) =>
      objects(job.steps)
        .filter(({ env }) => JSON.stringify(env ?? {}).includes("github.token"))
        .map(({ name }) => `${place}: ${name}`),
    );
    expect(holders).toEqual([
      ...["check.yml comment: Comment", "drift-tell.yml tell: Issue", "plan.yml comment: Comment"],
    ]);
  });
});

function eventsOf({ tree }: Workflow): JsonObject {
  return isJsonObject(tree.on) ? tree.on : {};
}

describe("what changes the cloud", () => {
  const job = (file: string, name: string) =>
    jobsOf(read(`.github/workflows/${file}`)).find(([one]) => one === name)?.[1] ?? {};

  test("goes down the order of the stacks, each after the one before it, staging before production", () => {
    const stacks = jobsOf(read(".github/workflows/apply-environment.yml")).slice(0, -1);
    expect(stacks.map(([name]) => name)).toEqual([...STACK_ORDER]);
    for (const [at, [name, { needs, with: inputs }]] of stacks.entries()) {
      expect(needs).toBe(at === 0 ? undefined : STACK_ORDER[at - 1]);
      expect(inputs).toMatchObject({ stack: name });
    }
    expect(job("apply-environment.yml", "publish").needs).toBe(STACK_ORDER.at(-1));
    expect(job("apply.yml", "production").needs).toBe("staging");
    // Without staging only when somebody asks for just that, by hand.
    expect(job("apply.yml", "production").if).toBe(
      "$" +
        "{{ !cancelled() && inputs.only != 'staging' && (needs.staging.result == 'success' || inputs.only == 'production') }}",
    );
    expect(job("apply.yml", "staging").if).toBe("inputs.only != 'production'");
  });

  test("makes database and secrets ready before services are made, as whoever applies, once reviewers have agreed", () => {
    const steps = objects(job("apply-stack.yml", "apply").steps);
    const at = (word: string) => steps.findIndex(({ run }) => String(run ?? "").includes(word));
    expect(steps[at("infra prepare")]).toMatchObject({ if: "inputs.stack == 'services'" });
    expect(at("infra prepare")).toBeLessThan(at("infra apply"));
    expect(STACK_ORDER.indexOf("cluster")).toBeLessThan(STACK_ORDER.indexOf("services"));
  });

  test("is told to end itself: GitHub signals only the first process of a step", () => {
    for (const [file, verb] of [
      ["apply-stack.yml", "apply"],
      ["apply-stack.yml", "plan"],
      ["drift-heal.yml", "heal"],
    ] as const) {
      const lines = stepsOf(read(`.github/workflows/${file}`)).map(({ run }) => String(run ?? ""));
      const line = lines.find((one) => one.includes(`infra ${verb} `));
      expect(line, `${file} ${verb}`).toMatch(/^exec /);
    }
  });

  test("is never at work while a lock is freed", () => {
    const { concurrency } = read(".github/workflows/unlock.yml").tree;
    expect(concurrency).toEqual(read(".github/workflows/apply.yml").tree.concurrency);
  });

  test("waits for the reviewers of its environment, and is never cut off", () => {
    for (const [file, name] of [
      ["apply-stack.yml", "apply"],
      ["apply-environment.yml", "publish"],
      ["drift-heal.yml", "heal"],
    ] as const)
      expect(job(file, name).environment, `${file} ${name}`).toBe("$" + "{{ inputs.environment }}");
    expect(job("deploy.yml", "staging").environment).toBe("staging");
    expect(job("deploy.yml", "production").environment).toBe("production");
    for (const file of ["apply.yml", "deploy.yml"])
      expect(read(`.github/workflows/${file}`).tree.concurrency, file).toMatchObject({
        "cancel-in-progress": false,
      });
    // A look at drift waits for no reviewer: here it is the jobs that write that are one at a time.
    expect(read(".github/workflows/drift.yml").tree.concurrency).toBeUndefined();
    for (const [file, name] of [
      ["drift-tell.yml", "tell"],
      ["drift-heal.yml", "heal"],
    ] as const)
      expect(job(file, name).concurrency, file).toMatchObject({ "cancel-in-progress": false });
  });

  test("is done with another role than what only looks, and the role that acts is the environment's", () => {
    // Asked for once more where the hour of the first session could end too soon.
    const roleOf = (file: string, name: string) => [
      ...new Set(
        objects(job(file, name).steps)
          .filter(({ uses }) => String(uses).startsWith("aws-actions/configure-aws-credentials@"))
          .map(({ with: inputs }) => isJsonObject(inputs) && inputs["role-to-assume"]),
      ),
    ];
    expect(roleOf("apply-stack.yml", "plan")).toEqual(["$" + "{{ inputs.plan-role }}"]);
    expect(roleOf("apply-stack.yml", "apply")).toEqual(["$" + "{{ vars.AWS_APPLY_ROLE }}"]);
    expect(roleOf("plan.yml", "synth")).toEqual([]);
    expect(roleOf("drift.yml", "look")).toEqual(["$" + "{{ matrix.role }}"]);
    expect(roleOf("drift-heal.yml", "heal")).toEqual(["$" + "{{ vars.AWS_APPLY_ROLE }}"]);
    expect(roleOf("drift-tell.yml", "tell")).toEqual([]);
  });

  test("is looked at before there are credentials: a branch's stacks are checked first", () => {
    const steps = objects(job("plan.yml", "plan").steps);
    const at = (found: (step: JsonObject) => boolean) => steps.findIndex(found);
    const check = at(({ run }) => String(run).includes("infra check"));
    const credentials = at(({ uses }) => String(uses).startsWith("aws-actions/"));
    const terraform = at(({ run }) => String(run).includes("infra plan"));
    expect([check, credentials, terraform]).toEqual(
      [...[check, credentials, terraform]].sort((a, b) => a - b),
    );
    expect(check).toBeGreaterThan(0);
  });

  test.each([
    ["apply-stack.yml", "plan"],
    ["apply-stack.yml", "apply"],
    ["drift.yml", "look"],
    ["drift-heal.yml", "heal"],
  ])("asks which image runs before it plans or applies: %s %s", (file, name) => {
    const lines = objects(job(file, name).steps).map(({ run }) => String(run ?? ""));
    const asked = lines.findIndex((line) => line.includes("infra running-tag"));
    const acts = lines.findIndex((line) => /infra (plan|apply|heal)/.test(line));
    expect(asked).toBeGreaterThan(0);
    expect(acts).toBeGreaterThan(asked);
  });

  test("ends Terraform by itself before GitHub ends the job: 50 minutes, 5 to let go of the lock, and what comes before", () => {
    for (const [file, name] of [
      ["apply-stack.yml", "apply"],
      ["drift-heal.yml", "heal"],
    ] as const)
      expect(job(file, name)["timeout-minutes"], file).toBeGreaterThanOrEqual(70);
  });

  test("is told also of a look that has left nothing", () => {
    const [download, tell] = objects(job("drift-tell.yml", "tell").steps).slice(-2);
    expect(download).toMatchObject({ "continue-on-error": true });
    expect(String(tell?.run)).toContain(' --run "$RUN_URL"');
  });

  test("is put back only where a look has sealed something, and then told again", () => {
    for (const environment of ["staging", "production"]) {
      expect(job("drift.yml", `heal-${environment}`)).toMatchObject({
        needs: "look",
        if: `$` + `{{ !cancelled() && needs.look.outputs.${environment} == 'true' }}`,
        with: { environment },
      });
      expect(job("drift.yml", `tell-again-${environment}`)).toMatchObject({
        needs: ["tell", `heal-${environment}`],
        if: `$` + `{{ !cancelled() && needs.heal-${environment}.result != 'skipped' }}`,
      });
    }
  });

  test("keeps no plan of a pull request, and that of an apply for a day", () => {
    const uploads = (file: string, name: string) =>
      objects(job(file, name).steps)
        .filter(({ uses }) => String(uses).startsWith("actions/upload-artifact@"))
        .map(({ with: inputs }) => (isJsonObject(inputs) ? inputs : {}));
    expect(JSON.stringify(uploads("plan.yml", "plan"))).not.toMatch(/plan\.(bin|json)|plans\b/);
    for (const kept of uploads("apply-stack.yml", "plan")) expect(kept["retention-days"]).toBe(1);
    for (const kept of uploads("drift.yml", "look").filter(({ path }) => path === "heals"))
      expect(kept["retention-days"]).toBe(1);
  });

  test("LB-aws-10: staging by push; production by hand, with the commit and the word, behind the gate", () => {
    const { push, workflow_dispatch } = eventsOf(read(".github/workflows/deploy.yml"));
    expect(push).toEqual({ branches: ["main"] });
    expect(workflow_dispatch).toMatchObject({
      inputs: { image_tag: { required: true }, confirm: { required: true } },
    });
    expect(job("deploy.yml", "staging").needs).toBe("build");
    expect(job("deploy.yml", "build").if).toBe("github.event_name == 'push'");
    expect(job("deploy.yml", "production").if).toBe("github.event_name == 'workflow_dispatch'");
    const lines = objects(job("deploy.yml", "production").steps).map(({ run }) =>
      String(run ?? ""),
    );
    const gate = lines.findIndex((line) => line.includes("infra deploy-gate"));
    const deploy = lines.findIndex((line) => line.includes("infra deploy "));
    expect(gate).toBeGreaterThan(0);
    expect(deploy).toBeGreaterThan(gate);
    // The image that staging runs is the one: nothing is built for production.
    expect(lines.join("\n")).not.toContain("build-image");
  });
});
