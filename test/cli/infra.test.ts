/** The commands that judge plans, as a workflow calls them: what they say, what they write, and their exit codes. */
import { execFileSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type StandInAws, startStandInAws } from "../../src/adapter/stand-in/aws.js";
import { type Loopback, startLoopback } from "../../src/adapter/stand-in/loopback.js";
import type { Json } from "../../src/base/json.js";
import { changeJson, madePlanJson, planFile, planJson } from "../support/plans.js";
import { type Answer, cli, ROOT } from "./support.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-infra-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const POLICIES = ["--policies", join(ROOT, "policies")];

async function put(path: string, content: Json | string): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

function infra(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return cli(["infra", ...args], { cwd: folder, env });
}

describe("infra review", () => {
  const review = (...args: string[]) => infra(["review", ...args, ...POLICIES]);

  test("is 0 for what is within the budgets and for what only asks to be looked at, 1 for what is stopped", async () => {
    expect(await review("--plan", `services=${planFile("one-number")}`)).toMatchObject({
      ...{ code: 0, out: "services: ok, 1 resource changes\n" },
    });
    const power = await review("--plan", `services=${planFile("power")}`);
    expect([power.code, power.out.split("\n")[0]]).toEqual([
      0,
      "services: ask, 1 resource changes",
    ]);
    const gone = await review(
      "--plan",
      `data=${planFile("deleted")}`,
      "--plan",
      `services=${planFile("nothing")}`,
    );
    expect([gone.code, gone.out]).toEqual([1, expect.stringContaining("delete-stateful")]);
  });

  test("takes the folder that was planned into, in the order of the stacks, and waits for what waits", async () => {
    await put("plans/services.json", planJson("one-number"));
    await put("plans/network.json", planJson("nothing"));
    await put("plans/delivery.error.txt", "waits: a stack before it is not applied yet");
    await put("plans/plans.json", []);
    const { code, out } = await review("--plans", "plans", "--markdown", "review.md");
    expect(out.match(/^\w+: \w+/gm)).toEqual(["network: ok", "services: ok", "delivery: ask"]);
    const text = await readFile(join(folder, "review.md"), "utf8");
    expect([code, text.split("\n")[0]]).toEqual([
      0,
      "## ⚠️ Infrastructure: look before it is applied",
    ]);
    await put("plans/data.error.txt", "Error: no credentials");
    expect((await review("--plans", "plans")).code).toBe(1);
    expect(await review("--plans", "none", "--markdown", "review.md")).toMatchObject({ code: 1 });
    expect(await readFile(join(folder, "review.md"), "utf8")).toContain("no plan was made");
  });

  test.each<[string, Json | string]>([
    ["no JSON", "Plan: 3 to add, with s3cret"],
    ["another format", madePlanJson([], { format_version: "9.0", hidden: "s3cret" })],
    ["an empty file", ""],
  ])("stops for %s, and repeats nothing of it", async (_what, content) => {
    const file = await put("plan.json", content);
    const { code, out, err } = await review("--plan", `data=${file}`, "--markdown", "review.md");
    const text = await readFile(join(folder, "review.md"), "utf8");
    expect(code).toBe(1);
    expect(`${out}${err}${text}`).not.toContain("s3cret");
    expect(text).toContain("Could not be planned");
  });

  test.each([
    [["review"], /--plans or --plan is missing/],
    [["review", "--plan", "plan.json"], /expected STACK=FILE/],
    [["review", "--plan", "a=x.json", "--plan", "a=y.json"], /"a" twice/],
    [["review", "--plan", "a=error:x", "--env", "prod", ...POLICIES], /--env/],
    [["drift"], /--plans or --plan is missing/],
    [["drift", "--plan", "a=error:x", "--url", "https://a:b@x", ...POLICIES], /without a password/],
    [["seal", "--dir", "."], /--dir and --stack are needed/],
    [["guard", "--dir", ".", "--stack", "../data"], /--stack: found/],
    [["issue", "--key", "X", "--file", "f", "--state-file", "s"], /--key: found "X"/],
    [["check"], /DIR is missing/],
  ])("asked wrongly: %j", async (args, message) => {
    expect(await infra(args)).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });

  test("a folder that is not there is said with what would write it", async () => {
    expect(await infra(["check", "none", ...POLICIES])).toMatchObject({
      ...{ code: 1, err: expect.stringMatching(/none: no folder of stacks[\s\S]*hint: .*synth/) },
    });
  });

  test("a file that is not there is said with what would write it", async () => {
    expect(await review("--plan", "data=none.json")).toMatchObject({
      ...{
        code: 1,
        err: expect.stringMatching(
          /none\.json: no plan is there \(ENOENT\)[\s\S]*hint: .*terraform plan/,
        ),
      },
    });
  });
});

describe("infra drift", () => {
  let runtime: Loopback;
  const answers: Record<string, Json> = {};
  const told: { readonly method: string; readonly body: string }[] = [];
  beforeEach(async () => {
    answers["/health"] = { drift: [] };
    answers["/api/v1/temporary-changes"] = { changes: [] };
    told.splice(0);
    runtime = await startLoopback(({ method, path, headers, body }) => {
      told.push({ method, body: String(body) });
      const needsToken = path.startsWith("/api/");
      if (needsToken && headers.authorization !== "Bearer viewer") return { status: 401, body: {} };
      return { status: 200, body: answers[path] ?? {} };
    });
  });
  afterEach(() => runtime.close());

  async function drift(...args: string[]): Promise<Answer & { readonly state: string }> {
    const token = await put("token", "viewer\n");
    const files = ["--markdown", "drift.md", "--state-file", "state"];
    const answer = await infra(["drift", ...args, ...files, "--token-file", token, ...POLICIES]);
    const state = await readFile(join(folder, "state"), "utf8").catch(() => "unwritten");
    return { ...answer, state: state.trim() };
  }

  const services = ["--plan", `services=${planFile("nothing")}`];
  const scaled = async () => [
    ...["--plan", `services=${await put("scaled.json", SCALED)}`],
    ...["--url", runtime.url],
  ];
  const SCALED = madePlanJson([
    changeJson("aws_ecs_service.workers-service", {
      ...{ before: { desired_count: 20 }, after: { desired_count: 12 } },
    }),
  ]);

  test("clean is 0, drifted 2, failed 1, and the state is one word", async () => {
    expect(await drift(...services)).toMatchObject({ code: 0, state: "clean" });
    const drifted = ["--plan", `data=${planFile("drifted")}`];
    expect(await drift(...services, ...drifted)).toMatchObject({ code: 2, state: "drifted" });
    expect(await drift(...services, ...drifted, "--plan", "identity=error:exit 1")).toMatchObject({
      ...{
        code: 1,
        state: "failed",
        err: expect.stringContaining("identity: the check has failed"),
      },
    });
  });

  test("what a runbook has noted is known, with owner and end, until its time is over", async () => {
    expect(await drift(...(await scaled()))).toMatchObject({ code: 2, state: "drifted" });
    const change = {
      ...{ environment: "production", target: "ecs service workers", attribute: "desired_count" },
      ...{ owner: "ann", reason: "INC-7", expires_at: "2999-01-01T00:00:00Z" },
    };
    answers["/api/v1/temporary-changes"] = { changes: [change] };
    expect(await drift(...(await scaled()))).toMatchObject({ code: 0, state: "only-known" });
    expect(await readFile(join(folder, "drift.md"), "utf8")).toContain(
      "ann until 2999-01-01 00:00",
    );
    const over = { ...change, expires_at: "2026-01-01T00:00:00Z" };
    answers["/api/v1/temporary-changes"] = { changes: [over] };
    const { code, out } = await drift(...(await scaled()));
    expect([code, out]).toEqual([2, expect.stringContaining("its time is over")]);
  });

  describe("with --propose", () => {
    const TARGET = "aws_appautoscaling_target.workers-scaling-target";
    const TOLD = "/api/v1/drift/proposals";
    const sizes = (runs: number) =>
      madePlanJson(
        [changeJson(TARGET, { before: { max_capacity: runs }, after: { max_capacity: 120 } })],
        {
          resource_drift: [
            changeJson(TARGET, { before: { max_capacity: 120 }, after: { max_capacity: runs } }),
          ],
        },
      );
    const propose = async (...args: string[]) =>
      drift(
        ...["--plan", `services=${await put("sizes.json", sizes(130))}`, "--propose"],
        ...["--url", runtime.url, ...args],
      );
    const issue = () => readFile(join(folder, "drift.md"), "utf8");
    const posts = () => told.filter(({ method }) => method === "POST");

    test("the runtime is told what nobody stands for, and the issue names its pull request", async () => {
      const pull_request = { number: 12, url: "https://github.com/acme/shop/pull/12" };
      const answer = { path: "scaling.workers.max", value: 130, outcome: "opened", why: null };
      answers[TOLD] = { proposals: [{ ...answer, pull_request }], ended: [] };
      const { code, out } = await propose();
      expect([code, out]).toEqual([2, expect.stringContaining(`130: opened ${pull_request.url}`)]);
      expect(await issue()).toContain("= 130: #12 (new)");
      expect(JSON.parse(posts()[0]!.body)).toMatchObject({
        ...{ environment: "production", held: [] },
        values: [{ address: TARGET, attribute: "max_capacity", value: 130 }],
      });
    });

    test("a runtime that says no leaves the command and its reason, and the state is what it was", async () => {
      answers[TOLD] = { detail: "This needs a token." };
      const { code, state, err } = await propose();
      expect([code, state]).toEqual([2, "drifted"]);
      expect(err).toContain("the runtime answered 200: This needs a token.");
      expect(await issue()).toContain("algobrain policy change scaling.workers.max 130");
    });

    test("a look that is not whole tells nobody anything", async () => {
      answers[TOLD] = { proposals: [], ended: [] };
      expect(await propose("--plan", "data=error:away")).toMatchObject({ code: 1 });
      answers["/health"] = { status: "ok" };
      expect(await propose()).toMatchObject({ code: 2, state: "drifted" });
      expect(posts()).toEqual([]);
      expect(await issue()).toContain("it is not known who stands for what");
    });
  });

  test("a review tells of it, too: applying takes it back", async () => {
    const override = { owner: "bea", reason: "INC-8", until: "2999-01-01T00:00:00Z" };
    answers["/health"] = { drift: [{ name: "a.b", value: 1, policyValue: 2, override }] };
    const args = ["review", ...services, "--markdown", "review.md", ...POLICIES];
    const { code } = await infra(args, { ALGOBRAIN_URL: runtime.url });
    const text = await readFile(join(folder, "review.md"), "utf8");
    expect([code, text]).toEqual([
      0,
      expect.stringContaining("| a.b | bea | INC-8 | 2999-01-01 00:00 |"),
    ]);
  });

  test("a runtime that does not say it makes a clean check a failed one", async () => {
    answers["/health"] = { status: "ok" };
    expect(await drift(...services, "--url", runtime.url)).toMatchObject({
      ...{ code: 1, state: "failed", err: expect.stringContaining("known drift is not known") },
    });
  });
});

/** As much of Terraform as the seal asks: what a saved plan says, and whose state it is. */
const TERRAFORM = `#!/bin/sh
case "$1" in
  show) cat plan.json ;;
  state) cat state.json ;;
  *) echo "unexpected $1" >&2; exit 9 ;;
esac
`;

describe("infra seal and guard", () => {
  const env = () => ({ PATH: `${join(folder, "bin")}:/usr/local/bin:/usr/bin:/bin` });
  const call = (verb: "seal" | "guard") =>
    infra([verb, "--dir", "data", "--stack", "data", "--policies", "policies"], env());
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      cwd: folder,
      stdio: "pipe",
    });

  beforeEach(async () => {
    await put("bin/terraform", TERRAFORM);
    await chmod(join(folder, "bin/terraform"), 0o755);
    await cp(join(ROOT, "policies"), join(folder, "policies"), { recursive: true });
    await symlink(join(ROOT, "runbooks"), join(folder, "runbooks"));
    await put("data/cdk.tf.json", {});
    await put("data/plan.bin", "a plan");
    await put("data/plan.json", planJson("one-number"));
    await put("data/state.json", { version: 4, serial: 17, lineage: "db55e729" });
    await put("data/.terraform.lock.hcl", "lock");
    git("init", "-q");
    git("commit", "-q", "--allow-empty", "-m", "one");
  });

  test("the plan that was sealed is let through, twice over", async () => {
    expect(await call("seal")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/sealed to commit [0-9a-f]{12} and state 17/),
    });
    expect(await call("guard")).toMatchObject({
      code: 0,
      out: expect.stringContaining("this is the plan that was sealed"),
    });
    expect((await call("guard")).code).toBe(0);
  });

  test.each<[string, () => unknown]>([
    ["commit", () => git("commit", "-q", "--allow-empty", "-m", "two")],
    ["lockSha256", () => put("data/.terraform.lock.hcl", "another")],
    ["planSha256", () => put("data/plan.bin", "another plan")],
    ["planJsonSha256", () => put("data/plan.json", planJson("nothing"))],
    ["synthSha256", () => put("data/cdk.tf.json", { resource: {} })],
    ["stateSerial", () => put("data/state.json", { version: 4, serial: 18, lineage: "db55e729" })],
    ["stateLineage", () => put("data/state.json", { version: 4, serial: 17, lineage: "another" })],
    ["stateLineage", () => put("data/state.json", "")],
    [
      "policyDigest",
      async () => {
        const file = join(folder, "policies/algobrain/scaling.yaml");
        const text = await readFile(file, "utf8");
        await writeFile(file, text.replace(/max: 120/, "max: 119"));
      },
    ],
  ])("another %s is refused by name, and says what to do", async (field, change) => {
    await call("seal");
    await change();
    const { code, err } = await call("guard");
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`^data: ${field}: found \\S+, and it was sealed to \\S+$`, "m"));
    expect(err).toContain("plan again: what was reviewed is not what would be applied");
  });

  test("a plan that the budgets stop gets no seal, and one that was sealed is stopped later", async () => {
    await put("data/plan.json", planJson("deleted"));
    expect(await call("seal")).toMatchObject({
      code: 1,
      err: expect.stringContaining("nothing to seal"),
    });
    expect(await call("guard")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no seal of a plan is there"),
    });
  });

  test("a plan that was made before a deployment is refused: it would take the code back", async () => {
    const [planned, deployed] = ["1".repeat(40), "2".repeat(40)];
    await put("data/plan.json", {
      ...planJson("one-number"),
      variables: { image_tag: { value: planned } },
    });
    const calledWith = (verb: "seal" | "guard", image: string) =>
      infra([verb, "--dir", "data", "--stack", "data", "--policies", "policies"], {
        ...env(),
        TF_VAR_image_tag: image,
      });
    expect(await call("seal")).toMatchObject({ code: 1, err: expect.stringContaining("none") });
    expect((await calledWith("seal", deployed)).code).toBe(1);
    expect((await calledWith("seal", planned)).code).toBe(0);
    expect((await calledWith("guard", planned)).code).toBe(0);
    const { code, err } = await calledWith("guard", deployed);
    expect(code).toBe(1);
    expect(err).toContain(`imageTag: found ${deployed}, and it was sealed to ${planned}`);
    // Who has not looked does not know.
    expect((await call("guard")).err).toContain("imageTag: found none");
  });

  test("half a seal is none", async () => {
    await call("seal");
    const seal = await readFile(join(folder, "data/plan.seal.json"), "utf8");
    await put("data/plan.seal.json", seal.slice(0, 200));
    expect((await call("guard")).err).toContain("no seal of a plan is there");
  });

  test("a folder without a plan says what it lacks", async () => {
    await rm(join(folder, "data/plan.bin"));
    expect(await call("seal")).toMatchObject({
      code: 1,
      err: expect.stringContaining("plan.bin cannot be read (ENOENT)"),
    });
  });
});

describe("infra running-tag", () => {
  const [one, two] = ["1".repeat(40), "2".repeat(40)];
  let aws: StandInAws;
  beforeEach(async () => {
    aws = await startStandInAws();
    // The client library looks for keys where it will: in the environment of the process.
    vi.stubEnv("AWS_ACCESS_KEY_ID", "testing");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "testing");
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await aws.close();
  });

  const ask = (...args: string[]) =>
    infra(["running-tag", ...args, ...POLICIES], {
      AWS_ENDPOINT_URL: aws.url,
      ALGOBRAIN_HOME: join(folder, "home"),
    });
  const run = (service: string, tag: string) =>
    aws.ecs.addService(service, `r/${service}:${tag}`, 1);

  test("is what all services run, also for the next step of a job", async () => {
    for (const service of ["api", "orchestrator", "workers"]) run(service, one);
    const answer = await ask("--else", two, "--github-env", "env");
    expect(answer).toMatchObject({ code: 0, out: `${one}\n` });
    expect(await readFile(join(folder, "env"), "utf8")).toBe(`TF_VAR_image_tag=${one}\n`);
  });

  test("is refused in the midst of a deployment, and where no commit names the image", async () => {
    run("api", one);
    run("workers", two);
    expect(await ask("--else", one)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/api runs 1{12}, workers runs 2{12}: let the deployment end/),
    });
    run("workers", "latest");
    expect(await ask("--else", one)).toMatchObject({
      code: 1,
      err: expect.stringContaining("workers: the image is not named by a commit"),
    });
  });

  test("is the word of the person where nothing runs yet, and nothing else", async () => {
    expect(await ask("--else", two)).toMatchObject({ code: 0, out: `${two}\n` });
    expect(await ask()).toMatchObject({ code: 1, err: expect.stringContaining("say with --else") });
    expect(await ask("--else", "main")).toMatchObject({
      code: 1,
      err: expect.stringContaining("40 lower-case"),
    });
  });

  test("an answer that does not come is no empty cluster", async () => {
    aws.misbehave({
      kind: "answer",
      answer: { status: 400, body: { __type: "AccessDeniedException" } },
    });
    expect((await ask("--else", two)).code).toBe(1);
  });
});
