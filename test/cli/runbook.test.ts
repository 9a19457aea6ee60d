/** `runbook …` and `runs …` on a database, with an executor beside them: what is shown, who asks, what is refused. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { publish } from "../../src/main/policy.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { RunbookRegistry } from "../../src/runbook/registry.js";
import { listAudit } from "../../src/store/audit.js";
import { listRuns, readRun } from "../../src/store/runs.js";
import { submitJob } from "../../src/store/submit-job.js";
import { registerWorker } from "../../src/store/workers.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeAccessRule, makePerson, makePolicy } from "../support/make-policy.js";
import { workOn } from "../support/runbook-world.js";
import { until } from "../support/until.js";
import { makeTerminal } from "./made-terminal.js";
import { type Answer, cli } from "./support.js";

let lent: TestDatabase;
let registry: RunbookRegistry;
const policy = makePolicy({
  access: {
    people: [
      makePerson("tess", { role: "operator", subjects: ["cli:test"] }),
      makePerson("bob", { role: "admin" }),
    ],
    groups: {},
    serviceRoles: { pagerduty: "operator", policy: "operator" },
    rules: [
      makeAccessRule({ danger: "R", role: "viewer", doors: ["cli"] }),
      {
        ...makeAccessRule({ danger: "V", role: "operator", doors: ["cli"] }),
        runbook: "pause-queue",
      },
      makeAccessRule({ danger: "V", role: "operator", doors: ["cli"], approvals: 1 }),
    ],
  },
});
beforeAll(async () => {
  lent = await createTestDatabase();
  registry = await loadRunbooks();
  await publish(lent.db, policy, "test");
  await registerWorker(lent.db, {
    ...{ lane: "executor", kinds: ["runbook"], hostname: "here", pid: 1 },
  });
});
afterAll(() => lent.drop());

const type = (line: string, ...more: string[]) =>
  cli([...line.split(" "), ...more], { env: { DATABASE_URL: lent.url } });

/** As an executor would, as soon as it is asked for. */
async function typeAndExecute(line: string, ...more: string[]) {
  return execute(type(line, ...more));
}

async function execute(answer: Promise<Answer>) {
  const run = await until(
    async () => (await listRuns(lent.db, 1, { status: "queued" }))[0] ?? false,
    "a run is asked for",
  );
  await workOn({ db: lent.db, registry, policy }, run.id);
  return { ...(await answer), run: (await readRun(lent.db, run.id))! };
}

test("a dry run shows all that people would agree to, and what it would mean", async () => {
  const { code, out, run } = await typeAndExecute("runbook run pause-queue score 10m --dry-run");
  expect(code).toBe(0);
  expect(run).toMatchObject({ dryRun: true, person: "tess", actor: "cli:test", role: "operator" });
  expect(out).toContain("would pause score for 10m");
  expect(out).toContain("Danger: can be undone");
  expect(out).toContain("Locks: queue-score (held by another: it waits)");
  expect(out).toContain("May touch: jobs:read, queues:pause");
  expect(out).toContain("  pause: resume, unless it was paused before");
  expect(out).toMatch(/^Approvals are bound to: [0-9a-f]{64}$/m);
});

test("who must agree is said before anyone asks, and the same as JSON", async () => {
  const { out } = await typeAndExecute("runbook run resume-queue index --dry-run --json");
  const events = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(["run", "step", "plan"]));
  expect(events.at(-1)).toMatchObject({
    event: "plan",
    data: {
      ...{ runbook: "resume-queue", danger: "V", locks: ["queue-index"] },
      decision: { decision: "needs-approval", approval: { needed: 1 } },
      bound_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  });
});

test("what is missing is asked for at a terminal, and the run is the one that was answered", async () => {
  const { terminal, said } = makeTerminal("scores", "score");
  const { code, run } = await execute(
    cli(["runbook", "run", "pause-queue", "--for", "5m"], {
      env: { DATABASE_URL: lent.url },
      terminal,
    }),
  );
  expect(code).toBe(0);
  expect(run.params).toEqual({ kind: "score", for: "5m", reason: "paused by hand" });
  expect(said).toEqual([
    "pause-queue: Stops starting jobs of a kind, or of all, until it expires",
    "a kind of job, or all",
    expect.stringMatching(/^ {2}one of index, identity, score, .*, all$/),
    "kind: ",
    '"kind": found "scores", did you mean "score"?',
    "kind: ",
    'not asked for, as this holds without: --reason "paused by hand"',
  ]);
});

describe("how far one is trusted", () => {
  test("is told with its definition", async () => {
    const { code, out } = await type("runbook show pause-queue");
    expect(code).toBe(0);
    expect(out).toMatch(/^trust: a person starts it\n {2}manual: \d+ verified runs? on /m);
    expect(out).toContain("  no automation names it\n");
    const { trust } = JSON.parse((await type("runbook show pause-queue --json")).out);
    expect(trust).toMatchObject({ runbook: "pause-queue", level: "manual", automations: [] });
  });

  test.each(["postgresql://ann:hunter2@127.0.0.1:1/none", "nonsense", undefined])(
    "with the database at %s the definition is shown, and that nobody could look",
    async (url) => {
      const env = { ALGOBRAIN_HOME: "/nowhere/at/all", ...(url ? { DATABASE_URL: url } : {}) };
      const { code, out } = await cli(["runbook", "show", "pause-queue"], { env });
      expect(code).toBe(0);
      expect(out).toContain("call: algobrain runbook run pause-queue KIND [FOR] [REASON]");
      expect(out).toMatch(/^trust: could not be looked up: .{10}/m);
      expect(out).not.toContain("hunter2");
      const json = await cli(["runbook", "show", "pause-queue", "--json"], { env });
      expect(JSON.parse(json.out)).toMatchObject({
        ...{ name: "pause-queue", trust: null, trust_unknown: expect.stringMatching(/.{10}/) },
      });
    },
  );
});

test("what may come next names the jobs that wait for somebody, and does without the database", async () => {
  const { id } = await submitJob(lent.db, { kind: "gc", payload: {}, actor: "test" });
  const next = ["runbook", "complete", "--", "rerun-job", "job-"];
  const there = await cli(next, { env: { DATABASE_URL: lent.url } });
  expect(there.out).toContain(`${id}\tgc, pending\n`);
  const away = { DATABASE_URL: "postgresql://ann@127.0.0.1:1/none" };
  expect(await cli(next, { env: away })).toEqual({ code: 0, out: "", err: "" });
  expect((await cli([...next.slice(0, 4), "--fo"], { env: away })).out).toMatch(/^--force\t/);
});

describe("orders about a run", () => {
  test("one that waits for people is ended, with the reason, in the asker's name", async () => {
    const said: string[] = [];
    const line = ["runbook", "run", "resume-queue", "score", "--reason", "by hand"];
    const hear = (it: string) => said.push(it);
    const asking = cli(line, { env: { DATABASE_URL: lent.url }, hear });
    const run = await until(
      async () => (await listRuns(lent.db, 1, { status: "queued" }))[0] ?? false,
      "a run is asked for",
    );
    await workOn({ db: lent.db, registry, policy }, run.id);
    expect(await readRun(lent.db, run.id)).toMatchObject({ waitingFor: "approval" });
    const how = `  waits for approval, in Slack: /algobrain approve ${run.id}`;
    await until(async () => said.includes(how), "the asker is told how it goes on");
    const cancelled = await type(`runbook cancel ${run.id} --reason`, "not needed any more");
    expect(cancelled).toMatchObject({
      code: 0,
      out: `${run.id} is cancelled: nothing of it runs any more\n`,
    });
    const { code, out } = await asking;
    expect(code).toBe(1);
    expect(out).toContain(how);
    expect(await type(`runbook cancel ${run.id}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining("has cancelled already"),
    });
  });

  test.each(["runbook cancel run-999999", "runbook undo run-999999", "runbook undo nonsense"])(
    "%s is refused in one sentence, and audited",
    async (line) => {
      const { code, out, err } = await type(line);
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toMatch(/^runbook: refused: there is no run ".*"; ids read run-123\n$/);
      expect((await listAudit(lent.db, { limit: 1 }))[0]).toMatchObject({
        ...{ actor: "cli:test", action: "run.order-refused" },
      });
    },
  );

  test("what only read has nothing to take back", async () => {
    const { run } = await typeAndExecute("runbook run queue-depth");
    const { code, err } = await type(`runbook undo ${run.id}`);
    expect(code).toBe(1);
    expect(err).toContain("refused");
  });
});

describe("runs", () => {
  test("list and show tell the same as the API", async () => {
    const { run } = await typeAndExecute("runbook run queue-depth");
    const list = JSON.parse((await type("runs list --runbook queue-depth --json")).out);
    expect(list.runs[0]).toMatchObject({ id: run.id, status: "succeeded", door: "cli" });
    expect((await type("runs list")).out).toMatch(new RegExp(`^${run.id} +succeeded`, "m"));
    const shown = await type(`runs show ${run.id}`);
    expect(shown.out).toContain(`${run.id} succeeded: queue-depth\n`);
    expect(shown.out).toContain("  act     count the queues: succeeded\n");
    expect(JSON.parse((await type(`runs show ${run.id} --json`)).out)).toMatchObject({
      id: run.id,
      steps: [{ phase: "plan" }, { phase: "act" }],
    });
  });

  test.each([
    ["runs show run-999999", 1, "there is no run-999999"],
    ["runs show 1;drop", 2, "expected a run id such as run-123"],
    ["runs list --status asleep", 2, 'found "asleep", expected queued'],
  ])("%s says what would do", async (line, code, sentence) => {
    const answer = await type(line);
    expect(answer.code).toBe(code);
    expect(answer.err).toContain(sentence);
  });
});
