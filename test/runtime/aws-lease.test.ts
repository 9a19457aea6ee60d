/** What a run changes in AWS it changes under its lease: whoever was overtaken sends nothing more (decision 0066). */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type StandInAws, startStandInAws } from "../../src/adapter/stand-in/aws.js";
import { openRunAws } from "../../src/main/aws.js";
import type { Run } from "../../src/runbook/run.js";
import { leaseLeft, RUN_LEASE_MS, startRun } from "../../src/store/run-leases.js";
import { readSteps } from "../../src/store/run-steps.js";
import { readRun } from "../../src/store/runs.js";
import { clearStopRow, setStopRow } from "../../src/store/stop-switch.js";
import { takeTargetLocks } from "../../src/store/target-locks.js";
import { faultOf, never } from "../contract/delivery.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import {
  type FencedPlace,
  fencedAws,
  fencedRunbooks,
  type Moment,
  WISHES,
  workFenced,
} from "../support/fenced-process.js";
import { queueRun } from "../support/runbook-world.js";
import { until } from "../support/until.js";

vi.setConfig({ testTimeout: 120_000 });

const CHILD = fileURLToPath(new URL("../support/fenced-process.ts", import.meta.url));
const UPDATE = "ecs:UpdateService";

let base: TestDatabase;
let standIn: StandInAws;
beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = "KEY-OF-THE-TEST";
  process.env.AWS_SECRET_ACCESS_KEY = "test";
  base = await createTestDatabase();
  standIn = await startStandInAws();
});
afterAll(async () => {
  await standIn.close();
  await base.drop();
});
beforeEach(() => standIn.ecs.addService("workers", `1.dkr.ecr.us-east-1.amazonaws.com/w:a`, 12));

const ask = () => queueRun(base.db, fencedRunbooks(), "scale-thrice");
const updates = () => standIn.asked.filter((action) => action === UPDATE).length;
const updatesBy = (key: string) =>
  standIn.askedBy(key).filter((action) => action === UPDATE).length;

/** As after thirty seconds in which nobody renewed it. */
async function endLease(id: string): Promise<void> {
  await base.db.query("UPDATE control.run SET lease_until = clock_timestamp() WHERE id = $1", [id]);
}

const overtake = async (id: string) => {
  await endLease(id);
  return base.db.transaction((tx) => startRun(tx, id));
};

/** A run at work, its target held. */
async function startHeld(): Promise<Run> {
  await base.db.query("UPDATE control.run SET status = 'failed' WHERE status = 'running'");
  const id = await ask();
  const run = (await base.db.transaction((tx) => startRun(tx, id, { targets: ["workers"] })))!;
  await base.db.query("DELETE FROM control.target_lock");
  await base.db.transaction((tx) => takeTargetLocks(tx, run.seq, ["workers"]));
  return run;
}

/** The adapter as that run has it; what it asks the database is in `asked`. */
async function openFor(run: Run) {
  const asked: string[] = [];
  const { db } = base;
  const counting: typeof db = {
    ...db,
    query: (text, ...rest) => {
      asked.push(text);
      return db.query(text, ...rest);
    },
    transaction: (work) => {
      asked.push("a transaction");
      return db.transaction(work);
    },
  };
  const { runbook } = fencedRunbooks().find("scale-thrice")!;
  const ground = fencedAws(counting, standIn.url);
  const { aws, close } = await openRunAws(ground, run, runbook, never());
  return { aws, close, asked };
}

test("an executor that was overtaken between its steps sends nothing more, and takes no later step", async () => {
  const id = await ask();
  const before = updates();
  const lost = workFenced(base.db, standIn.url, id, async (moment) => {
    if (moment === "before") await overtake(id);
  });
  expect(await faultOf(lost)).toMatchObject({ kind: "waiting", code: "RUN_LOST" });
  expect(updates() - before).toBe(1);
  const steps = await readSteps(base.db, (await readRun(base.db, id))!.seq);
  expect(steps.filter(({ phase }) => phase === "act").map(({ status }) => status)).toEqual([
    ...["succeeded", "running"],
  ]);
  await endLease(id);
  await workFenced(base.db, standIn.url, id);
  expect(await readRun(base.db, id)).toMatchObject({ status: "succeeded" });
  expect(updates() - before).toBe(WISHES.length);
});

test.each<[Moment, number, string]>([
  ["before", 1, "ask for 22"],
  ["after", 2, "it had taken effect before the interruption"],
])(
  "a real executor that is frozen %s a write, overtaken and thawed, writes nothing more",
  async (freezeAt, written, said) => {
    const id = await ask();
    const before = updates();
    const key = `KEY-FROZEN-${freezeAt}`;
    const child = startFrozen(
      { databaseUrl: base.url, awsUrl: standIn.url, runId: id, freezeAt },
      key,
    );
    try {
      await until(() => isStopped(child), "it is frozen");
      expect(updatesBy(key)).toBe(written);
      await endLease(id);
      await workFenced(base.db, standIn.url, id);
      expect(await readRun(base.db, id)).toMatchObject({ status: "succeeded" });
      child.kill("SIGCONT");
      expect(await endOf(child)).toBe("RUN_LOST");
    } finally {
      child.kill("SIGKILL");
    }
    expect(updatesBy(key)).toBe(written);
    // Each wish once: who took it over looked at what there was.
    expect(updates() - before).toBe(WISHES.length);
    const run = (await readRun(base.db, id))!;
    const step = (await readSteps(base.db, run.seq)).find(({ name }) => name === "ask for 22");
    expect(JSON.stringify(step)).toContain(said);
  },
);

function startFrozen(place: FencedPlace, key: string): ChildProcess {
  return spawn(process.execPath, ["--import", import.meta.resolve("tsx"), CHILD], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...{
        PATH: process.env.PATH,
        NODE_NO_WARNINGS: "1",
        TEST_FENCED_PLACE: JSON.stringify(place),
      },
      ...{ AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: "test" },
    },
  });
}

/** By the third field of its `stat`, behind a name that may hold anything. */
async function isStopped({ pid, exitCode }: ChildProcess): Promise<boolean> {
  if (exitCode !== null) throw new Error(`it ended with ${exitCode}`);
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
}

async function endOf(child: ChildProcess): Promise<string> {
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  await once(child, "close");
  return said.trim();
}

test("a write asks the database once, by one statement and no transaction; a look asks it nothing", async () => {
  const run = await startHeld();
  const { aws, close, asked } = await openFor(run);
  await aws.service("workers");
  expect(asked).toEqual([]);
  for (const desired of [13, 14, 15]) await aws.updateService({ service: "workers", desired });
  const leases = asked.filter((text) => text.includes("lease_until"));
  expect(leases).toHaveLength(3);
  await close();
  // Besides them the trail alone, after each.
  expect(asked.filter((text) => !text.includes("audit_append"))).toEqual(leases);
});

test("the answer is no more than is left of the lease, and none when it has ended or a target is gone", async () => {
  const run = await startHeld();
  const left = await leaseLeft(base.db, run, true);
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(RUN_LEASE_MS);
  const refusal = () => faultOf(leaseLeft(base.db, run, true));
  await base.db.query(
    "UPDATE control.target_lock SET expires_at = clock_timestamp() WHERE run_seq = $1",
    [run.seq],
  );
  expect(await refusal()).toMatchObject({ kind: "waiting", code: "RUN_LOST" });
  await base.db.query("DELETE FROM control.target_lock WHERE run_seq = $1", [run.seq]);
  expect(await refusal()).toMatchObject({ code: "RUN_LOST" });
  await base.db.transaction((tx) => takeTargetLocks(tx, run.seq, ["workers"]));
  expect(await leaseLeft(base.db, run, true)).toBeGreaterThan(0);
  // Nobody has taken it over yet: it is nobody's.
  await endLease(run.id);
  expect(await refusal()).toMatchObject({ code: "RUN_LOST" });
});

test("nobody writes while the stop switch is on; what only looks goes on", async () => {
  const run = await startHeld();
  const { aws, close } = await openFor(run);
  await setStopRow(base.db, { by: "ann", reason: "fire" });
  const before = updates();
  await expect(aws.updateService({ service: "workers", desired: 16 })).rejects.toThrow(
    "the stop switch is on",
  );
  expect(updates()).toBe(before);
  expect(await leaseLeft(base.db, run, false)).toBeGreaterThan(0);
  await clearStopRow(base.db, { by: "ann", reason: "out" });
  await close();
});
