/**
 * SIGKILL at each of the five points of a run: what it did is there at most once, or is called unknown, and no run
 * says "running" for longer than a minute after its lease.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPagerDutyNotifier } from "../../src/adapter/pagerduty.js";
import {
  type StandInPagerDuty,
  startStandInPagerDuty,
} from "../../src/adapter/stand-in/pagerduty.js";
import { sweepRuns } from "../../src/store/run-leases.js";
import { readSteps } from "../../src/store/run-steps.js";
import { readRun } from "../../src/store/runs.js";
import { makeDelivery } from "../contract/delivery.js";
import {
  type CrashPlace,
  type CrashPoint,
  crashRunbooks,
  effectsFile,
  POINTS,
  PRESSES,
  reachedFile,
  workOnCrash,
} from "../support/crash-process.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { queueRun } from "../support/runbook-world.js";
import { isAlive } from "../support/service.js";
import { until } from "../support/until.js";

const ROUTING_KEY = "c".repeat(32);
const TOKEN = "crash-matrix-token";
const EXECUTOR = fileURLToPath(new URL("../support/crash-process.ts", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "algobrain-crash-"));
let lent: TestDatabase;
let pagerduty: StandInPagerDuty;
let place: CrashPlace;
/** Of the group whose program lives on. */
let orphan: number;

const runOf = async (point: CrashPoint) => (await readRun(lent.db, place.runs[point]!))!;
const actOf = async (point: CrashPoint) =>
  (await readSteps(lent.db, (await runOf(point)).seq)).find(({ phase }) => phase === "act");
const effects = (point: CrashPoint) => {
  const file = effectsFile(place.folder, point);
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
};
const notes = () => pagerduty.incidents()[0]!.notes.map(({ content }) => content);

async function isReached(point: CrashPoint): Promise<boolean> {
  return point === "process started"
    ? effects(point) > 0
    : existsSync(reachedFile(place.folder, point));
}

beforeAll(async () => {
  lent = await createTestDatabase();
  pagerduty = await startStandInPagerDuty({ routingKey: ROUTING_KEY, token: TOKEN });
  const page = createPagerDutyNotifier({ routingKey: ROUTING_KEY, eventsUrl: pagerduty.url });
  await page.deliver(makeDelivery(), new AbortController().signal);
  const registry = crashRunbooks(folder, false);
  const incidentId = pagerduty.incidents()[0]!.id;
  const runs: Record<string, string> = {};
  for (const point of POINTS) {
    const more = point === "notice posted" ? { incidentId } : {};
    runs[point] = await queueRun(lent.db, registry, point.replaceAll(" ", "-"), more);
  }
  place = {
    ...{ databaseUrl: lent.url, folder, runs },
    pagerduty: { apiUrl: pagerduty.url, token: TOKEN },
  };
  await killAtAllPoints();
});

afterAll(async () => {
  await lent.drop();
  await pagerduty.close();
  rmSync(folder, { recursive: true, force: true });
});

function startExecutor(at: CrashPlace) {
  const executor = spawn(process.execPath, ["--import", "tsx", EXECUTOR], {
    env: { PATH: process.env.PATH ?? "", TEST_CRASH_PLACE: JSON.stringify(at) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { executor, exited: once(executor, "exit") };
}

async function killAtAllPoints(): Promise<void> {
  const { executor, exited } = startExecutor(place);
  for (const point of POINTS) await until(() => isReached(point), `the run stands at: ${point}`);
  const { rows } = await lent.db.query<{ pgid: number }>(
    "SELECT pgid FROM control.run_process WHERE ended_at IS NULL",
  );
  expect(rows).toHaveLength(1);
  orphan = rows[0]!.pgid;
  executor.kill("SIGKILL");
  await exited;
}

/** What time would do: the leases end, and whichever orchestrator looks first puts the runs back. */
async function letTimePass(): Promise<void> {
  await lent.db.query(
    "UPDATE control.run SET lease_until = lease_until - interval '51 s' WHERE status = 'running'",
  );
  await lent.db.transaction((tx) => sweepRuns(tx));
}

describe("an executor that is killed", () => {
  test("leaves what it did, and no run says running for a minute after its lease", async () => {
    expect(await Promise.all(POINTS.map(async (point) => (await runOf(point)).status))).toEqual([
      "running",
      "running",
      "running",
      "running",
      "succeeded",
    ]);
    expect(isAlive(orphan)).toBe(true);
    await letTimePass();
    expect(await Promise.all(POINTS.map(async (point) => (await runOf(point)).status))).toEqual([
      "queued",
      "queued",
      "queued",
      "queued",
      "succeeded",
    ]);
  });

  // Where nothing was pressed it is unknown all the same: from the record alone nobody can tell.
  test.each<[CrashPoint, number]>([
    ["intent written", 0],
    ["process started", 1],
    ["process ended", 1],
  ])(
    "at: %s, presses no second time, and the step is called indeterminate",
    async (point, times) => {
      await workOnCrash(lent.db, place, place.runs[point]!, false);
      expect(effects(point)).toBe(times);
      expect(await actOf(point)).toMatchObject({ status: "indeterminate" });
      expect(await runOf(point)).toMatchObject({
        status: "stalled",
        outcome: expect.stringContaining("unknown whether it took effect"),
      });
    },
  );

  test("leaves no program behind: who goes on ends it before the step is judged", async () => {
    expect(isAlive(orphan)).toBe(false);
    const { rows } = await lent.db.query(
      "SELECT ended_by FROM control.run_process WHERE pgid = $1",
      [orphan],
    );
    expect(rows).toEqual([{ ended_by: "reaped" }]);
  });

  test("at: result written, is gone on with where it was", async () => {
    await workOnCrash(lent.db, place, place.runs["result written"]!, false);
    expect(effects("result written")).toBe(1);
    expect(await runOf("result written")).toMatchObject({ status: "succeeded", verified: true });
  });

  test("at: notice posted, told it, and it is not told twice", async () => {
    const before = notes();
    expect(before.filter((note) => note.includes(":succeeded"))).toHaveLength(1);
    await workOnCrash(lent.db, place, place.runs["notice posted"]!, false);
    expect(notes()).toEqual(before);
    expect(effects("notice posted")).toBe(1);
  });
});

/** `CRASH_SEEDS=20 npx vitest run test/flow/crash-matrix`: so many runs at once, whose executor is killed again and again. */
const SEEDS = Number(process.env.CRASH_SEEDS ?? "3");
const KILLS_MAX = 40;

test("an executor that is killed at any moment, again and again, presses nothing twice", {
  timeout: 300_000,
}, async () => {
  const { db } = lent;
  const registry = crashRunbooks(folder, false);
  const runs: Record<string, string> = {};
  for (let seed = 0; seed < SEEDS; seed++)
    runs[seed] = await queueRun(db, registry, "many-presses", { params: { note: `${seed}` } });
  const open = async () =>
    (
      await db.query<{ id: string }>(
        "SELECT id FROM control.run WHERE runbook = 'many-presses' AND status IN ('queued', 'running')",
      )
    ).rows.map(({ id }) => id);
  const countSteps = async () =>
    (await db.query("SELECT FROM control.run_step WHERE phase = 'act'")).rowCount;
  let kills = 0;
  for (; kills < KILLS_MAX && (await open()).length > 0; kills++) {
    const left = Object.fromEntries((await open()).map((id) => [id, id]));
    const before = await countSteps();
    const { executor, exited } = startExecutor({ ...place, runs: left });
    let hasEnded = false;
    void exited.then(() => {
      hasEnded = true;
    });
    // A little further each time: between any two writes of somebody.
    const further = 1 + ((kills * 7) % (SEEDS * 2));
    await until(
      async () => hasEnded || (await countSteps()) >= before + further,
      "it has gone on",
      60_000,
    ).catch(() => "nothing new begins: what is left waits for its end");
    executor.kill("SIGKILL");
    await exited;
    await letTimePass();
  }
  const ended = await Promise.all(Object.values(runs).map((id) => readRun(db, id)));
  // Which of them depends on where the kills fell: all of a few may have been killed in the midst of a press.
  for (const run of ended) expect(["succeeded", "stalled"]).toContain(run?.status);
  expect(kills).toBeGreaterThan(0);
  for (const [seed, run] of ended.entries()) {
    const file = effectsFile(folder, `many-${seed}`);
    const pressed = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
    expect(new Set(pressed).size, `run ${seed} pressed ${pressed}`).toBe(pressed.length);
    if (run?.status === "succeeded") expect(pressed).toHaveLength(PRESSES);
    const steps = await readSteps(db, run!.seq);
    const unknown = steps.filter(({ status }) => status === "indeterminate");
    expect(unknown, `run ${seed}`).toHaveLength(run?.status === "stalled" ? 1 : 0);
  }
  console.info(
    `${SEEDS} runs, ${kills} kills, ${ended.filter((it) => it?.status === "stalled").length} stalled`,
  );
});
