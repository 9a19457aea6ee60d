/** Runbooks of the system around the jobs, with the power that their files declare and no other. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type StandInPagerDuty,
  startStandInPagerDuty,
} from "../../src/adapter/stand-in/pagerduty.js";
import { CLOSED, open } from "../../src/base/breaker.js";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { silentLogger } from "../../src/base/log.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import { createSystemWays } from "../../src/main/system-ways.js";
import { readConfig } from "../../src/runtime/config.js";
import { createRuntimeNotify } from "../../src/runtime/notify.js";
import { listAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { createDatabaseReader, createDatabaseWriter } from "../../src/store/database-care.js";
import { listDependencies, saveBreaker } from "../../src/store/dependencies.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { enterSafeMode, readSafeMode } from "../../src/store/safe-mode.js";
import { createSystemReader, createSystemWriter } from "../../src/store/system-care.js";
import { makePolicy } from "../support/make-policy.js";
import {
  crashEverywhere,
  openGround,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../support/runbook.js";
import { makeShell } from "../support/runbook-world.js";

const KEY = "r".repeat(32);
const TOKEN = "token-that-nobody-may-read";

let ground: RunbookGround;
let pagerduty: StandInPagerDuty;
beforeAll(async () => {
  pagerduty = await startStandInPagerDuty({ routingKey: KEY, token: TOKEN });
  ground = await openGround(await loadRunbooks());
});
afterAll(async () => {
  await ground.drop();
  await pagerduty.close();
});
beforeEach(async () => {
  await ground.db.query("DELETE FROM claims");
  await ground.db.query("DELETE FROM jobs WHERE job_type <> 'runbook'");
  await ground.db.query("DELETE FROM control.dependency");
  await ground.db.query("UPDATE control.safe_mode SET active = false, reason = NULL");
});

/** As the executor of an installation that calls PagerDuty, and nothing else. */
function other(env: Record<string, string> = {}) {
  const read = readConfig({
    ALGOBRAIN_HOME: "/tmp",
    PAGERDUTY_TOKEN: TOKEN,
    PAGERDUTY_API_URL: pagerduty.url,
    ...env,
  });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  const policy = () => makePolicy();
  const ways = createSystemWays({
    ...{ config: read.value, policy, log: silentLogger, clock: systemClock },
    redact: (text) => text,
    emit: () => {},
    notify: createRuntimeNotify({ policy, now: () => systemClock.now() }),
  });
  const options = {
    ...{ backupsDir: "/tmp", directUrl: "", ssl: false, environment: "test", shell: makeShell() },
    ...{ poolSize: () => 10, now: () => systemClock.now() },
  };
  return {
    care: (sql: Database, actor: string) => ({
      database: { ...createDatabaseReader(sql, options), ...createDatabaseWriter(sql, options) },
      system: { ...createSystemReader(sql, ways), ...createSystemWriter(sql, actor, ways) },
    }),
  };
}

const run = (name: string, params: JsonObject, more: { dryRun?: boolean } = {}) =>
  rehearse(ground, name, { params, ...more, other: other() });

const openBreakerOf = (name: string) =>
  saveBreaker(ground.db, {
    ...{ name, version: 0, by: "healdec", at: systemClock.now() },
    breaker: open(CLOSED, "5 of 5 calls failed", 3_600_000, systemClock.now()),
  });

const stateOf = async (name: string) =>
  (await listDependencies(ground.db)).find((it) => it.name === name)?.breaker.state;

describe("preflight-check", () => {
  test("says what is wrong, its remedy first, names no key, and changes nothing", async () => {
    const env = { SLACK_BOT_TOKEN: "xoxb-secret", SLACK_API_URL: "http://127.0.0.1:1/api" };
    const { run, changed } = await rehearse(ground, "preflight-check", { other: other(env) });
    expect(run).toMatchObject({ status: "failed", outcome: expect.stringMatching(/^slack: /) });
    const rows = run.output?.table?.rows ?? [];
    const found = Object.fromEntries(rows.map(([what, is]) => [what, is]));
    expect(found).toMatchObject({
      ...{ git: "ok", database: "ok", migrations: "ok", clock: "ok", slack: "fail" },
      "pagerduty-incidents": "ok",
    });
    expect(JSON.stringify(run)).not.toMatch(/xoxb-secret|nobody-may-read/);
    expect(changed).toEqual([]);
  });

  test("looks at one thing alone, and tells what there is when it does not know it", async () => {
    const one = await run("preflight-check", { only: "clock" });
    expect(one.run).toMatchObject({ status: "succeeded", output: { text: /^1 looks/ } });
    const none = await run("preflight-check", { only: "clocks" });
    expect(none.run).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining("expected one of"),
    });
  });
});

describe("exit-safe-mode", () => {
  const params = { reason: "a new disk", watch: "1s" };

  test("leaves it in the name of who asked, and a person's undo enters it again", async () => {
    await enterSafeMode(ground.db, { reason: "disk gone", by: "healdec" });
    const left = await run("exit-safe-mode", params);
    expect(left.run).toMatchObject({ status: "succeeded", verified: true });
    expect((await readSafeMode(ground.db)).active).toBe(false);
    const audit = await listAudit(ground.db, { limit: 50 });
    expect(audit.find(({ action }) => action === "safe-mode.left")).toMatchObject({
      actor: "ann",
      details: { left_because: `a new disk (${left.run.id})`, reason: "disk gone" },
    });
    const back = await takeBack(ground, left.run, { other: other() });
    expect(back.run).toMatchObject({ status: "succeeded" });
    expect(await readSafeMode(ground.db)).toMatchObject({
      ...{ active: true, enteredBy: "ann" },
      reason: `undo of ${back.run.id}: disk gone`,
    });
  });

  test("refuses while a check of the data fails, and when there is nothing to leave", async () => {
    expect((await run("exit-safe-mode", params)).run).toMatchObject({
      ...{ status: "failed", outcome: expect.stringContaining("safe mode is off") },
    });
    await enterSafeMode(ground.db, { reason: "disk gone", by: "healdec" });
    await ground.db.query("INSERT INTO claims (identity_id) VALUES ('gone')");
    const refused = await run("exit-safe-mode", params);
    expect(refused.run.outcome).toContain("claim-has-identity (1 rows)");
    expect((await readSafeMode(ground.db)).active).toBe(true);
  });

  test("data that breaks between the plan and the step keeps it on", async () => {
    await enterSafeMode(ground.db, { reason: "disk gone", by: "healdec" });
    const { care } = other();
    const late = (sql: Database, actor: string) => {
      const all = care(sql, actor);
      const { exitSafeMode } = all.system;
      const breaking: typeof exitSafeMode = async (request) => {
        await ground.db.query("INSERT INTO claims (identity_id) VALUES ('gone')");
        await exitSafeMode(request);
      };
      return { ...all, system: { ...all.system, exitSafeMode: breaking } };
    };
    const { run } = await rehearse(ground, "exit-safe-mode", { params, other: { care: late } });
    expect(run).toMatchObject({ status: "failed", outcome: expect.stringContaining("not whole") });
    expect((await readSafeMode(ground.db)).active).toBe(true);
  });

  test("jobs that wait and are taken by nobody are no success, and it is taken back", async () => {
    await enterSafeMode(ground.db, { reason: "disk gone", by: "healdec" });
    await enqueueJob(ground.db, { kind: "index", payload: {} });
    const { run: ended } = await run("exit-safe-mode", params);
    expect(ended).toMatchObject({
      ...{ status: "failed", verified: false, undone: "complete" },
      outcome: expect.stringContaining("1 jobs wait that nobody takes"),
    });
    expect((await readSafeMode(ground.db)).active).toBe(true);
  });

  test("a dry run shows the plan and changes nothing", async () => {
    await enterSafeMode(ground.db, { reason: "disk gone", by: "healdec" });
    const { run: planned, changed } = await run("exit-safe-mode", params, { dryRun: true });
    expect(planned.output?.text).toContain("would leave safe mode");
    expect(changed).toEqual([]);
  });

  test("whenever its executor dies, safe mode is left once", async () => {
    const points = await crashEverywhere(ground, "exit-safe-mode", async () => {
      await ground.db.query("UPDATE control.safe_mode SET active = false");
      await enterSafeMode(ground.db, { reason: "disk gone", by: "healdec" });
      const since = (await listAudit(ground.db, { limit: 1 }))[0]!.seq;
      const effects = async () =>
        (await listAudit(ground.db, { limit: 50 })).filter(
          ({ seq, action }) => seq > since && action === "safe-mode.left",
        ).length;
      return { params, other: other(), effects };
    });
    expect(points.length).toBeGreaterThan(3);
    expect(new Set(points.map(({ ended }) => ended))).toEqual(new Set(["succeeded"]));
  });
});

describe("reset-circuit-breaker", () => {
  const params = { dependency: "pagerduty-incidents", reason: "they said so", watch: "1s" };

  test("asks the dependency, closes its breaker and watches it; undo opens it for a minute", async () => {
    await openBreakerOf("pagerduty-incidents");
    const reset = await run("reset-circuit-breaker", params);
    expect(reset.run).toMatchObject({ status: "succeeded", verified: true });
    expect(reset.run.plan?.text).toContain("asked now: as Stand In");
    expect(await stateOf("pagerduty-incidents")).toBe("closed");
    const { run: back } = await takeBack(ground, reset.run, { other: other() });
    expect(back.status).toBe("succeeded");
    expect(await stateOf("pagerduty-incidents")).toBe("open");
  });

  test.each([
    ["one that does not answer", "slack", "slack is not well: slack is not configured here"],
    ["one that was never called", "github", "nothing has called github yet"],
    ["one that is closed", "webhook/hook", "is closed already"],
  ])("refuses %s, and leaves all as it was", async (_claim, dependency, outcome) => {
    await openBreakerOf("slack");
    await saveBreaker(ground.db, {
      ...{ name: "webhook/hook", version: 0, by: "healdec", at: systemClock.now() },
      breaker: CLOSED,
    });
    const { run: refused, changed } = await run("reset-circuit-breaker", { ...params, dependency });
    expect(refused).toMatchObject({ status: "failed" });
    expect(refused.outcome).toContain(outcome);
    expect(changed).toEqual([]);
  });

  test("one that fell ill again after the reset is opened again", async () => {
    await openBreakerOf("pagerduty-incidents");
    const { care } = other();
    let asked = 0;
    const falling = (sql: Database, actor: string) => {
      const all = care(sql, actor);
      const probe = async () => {
        asked += 1;
        return asked > 1 ? { ok: false, found: "it answers 503" } : { ok: true, found: "well" };
      };
      return { ...all, system: { ...all.system, probe } };
    };
    const { run: ended } = await rehearse(ground, "reset-circuit-breaker", {
      params,
      other: { care: falling },
    });
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(ended.outcome).toContain("it answers 503");
    expect(await stateOf("pagerduty-incidents")).toBe("open");
  });
});
