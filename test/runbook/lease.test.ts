/** Who holds a run, who takes it over, and that one who was overtaken changes nothing any more. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import type { Runbook } from "../../src/runbook/define.js";
import type { Recorder } from "../../src/runbook/execution.js";
import type { Run } from "../../src/runbook/run.js";
import { sweepRunsTick } from "../../src/runtime/tick/sweep-runs.js";
import { castVote } from "../../src/store/approvals.js";
import type { Database } from "../../src/store/database.js";
import { pauseQueue } from "../../src/store/pauses.js";
import { stallAbandonedRuns } from "../../src/store/run-endings.js";
import { beatRun, heldBy, letGoRun, startRun, sweepRuns } from "../../src/store/run-leases.js";
import { readRunLines } from "../../src/store/run-lines.js";
import { readSteps } from "../../src/store/run-steps.js";
import { readRun } from "../../src/store/runs.js";
import { clearStopRow, setStopRow } from "../../src/store/stop-switch.js";
import { takeTargetLocks } from "../../src/store/target-locks.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import {
  ACCESS,
  makeRegistry,
  makeRunbook,
  queueRun,
  submit,
  workOn,
} from "../support/runbook-world.js";
import { until } from "../support/until.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());

let runs = 0;
/** A runbook of its own, asked for. */
async function ask(more: Partial<Runbook> = {}) {
  const runbook = { ...makeRunbook(`held-${++runs}`), ...more };
  const registry = makeRegistry(runbook);
  const id = await queueRun(db, registry, runbook.name);
  return { id, registry };
}

const start = (id: string, taking = {}) => db.transaction((tx) => startRun(tx, id, taking));
const endLease = (id: string, ago = "0 s") =>
  db.query(`UPDATE control.run SET lease_until = now() - $2::interval WHERE id = $1`, [id, ago]);
const write = (run: Run) =>
  pauseQueue(heldBy(db, run), { kind: `kind-${run.id}`, reason: "r", by: "ann", expiresAt: null });

describe("a run at work", () => {
  test("is not taken from a living executor, and at once from one that let go or is dead", async () => {
    const { id, registry } = await ask();
    const first = (await start(id))!;
    expect(await start(id)).toBeNull();
    await expect(workOn({ db, registry }, id)).rejects.toMatchObject({ code: "RUN_HELD" });
    await letGoRun(db, first);
    const second = (await start(id))!;
    expect(second.fence).toBe(first.fence + 1);
    await db.query(
      "INSERT INTO workers (id, status) VALUES ('executor-worker-901', 'dead') ON CONFLICT DO NOTHING",
    );
    await db.query("UPDATE control.run SET executor = 'executor-worker-901' WHERE id = $1", [id]);
    expect((await start(id))!.fence).toBe(second.fence + 1);
  });

  test("is written to only by who holds it: one that slept through its lease wakes up to a refusal", async () => {
    const { id } = await ask();
    const asleep = (await start(id))!;
    await write(asleep);
    await endLease(id);
    const next = (await start(id))!;
    await expect(write(asleep)).rejects.toMatchObject({ kind: "waiting", code: "RUN_LOST" });
    expect(await beatRun(db, asleep, 0)).toEqual({ state: "lost" });
    expect(await beatRun(db, next, 0)).toEqual({ state: "alive" });
    await write(next);
  });

  test("is taken over only after a write that is under way", async () => {
    const { id } = await ask();
    const slow = (await start(id))!;
    const order: string[] = [];
    let goOn = () => {};
    const writing = heldBy(db, slow).transaction(async () => {
      order.push("writing");
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      order.push("written");
    });
    await until(() => order.length === 1, "the write is under way");
    await endLease(id);
    const taking = start(id).then(() => order.push("taken"));
    await until(async () => {
      const { rowCount } = await db.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return rowCount === 1;
    }, "the other waits");
    goOn();
    await Promise.all([writing, taking]);
    expect(order).toEqual(["writing", "written", "taken"]);
  });

  test("may not write when another has its target, nor while all is stopped", async () => {
    const { id } = await ask();
    const target = `lamp-${id}`;
    const run = (await start(id, { targets: [target] }))!;
    await expect(write(run)).rejects.toMatchObject({ code: "RUN_LOST" });
    await db.transaction((tx) => takeTargetLocks(tx, run.seq, [target]));
    await write(run);
    await setStopRow(db, { by: "ann", reason: "fire" });
    await expect(write(run)).rejects.toThrow("the stop switch is on");
    await clearStopRow(db, { by: "ann", reason: "out" });
    expect(await beatRun(db, run, 1)).toEqual({ state: "alive" });
    expect(await beatRun(db, run, 0)).toEqual({ state: "alive" });
    await db.query("DELETE FROM control.target_lock WHERE target = $1", [target]);
    expect(await beatRun(db, run, 1)).toEqual({ state: "lost" });
  });

  test("has no session of its own to write past its fence", async () => {
    const { id } = await ask();
    const run = (await start(id))!;
    await expect(heldBy(db, run).connect(async () => {})).rejects.toThrow("session of its own");
  });
});

describe("a run whose executor died", () => {
  test("goes back to where another finds it, however many look for it at once", async () => {
    const { id } = await ask();
    const late = (await start(id))!;
    await endLease(id, "19 s");
    expect(await db.transaction((tx) => sweepRuns(tx))).toEqual([]);
    await endLease(id, "21 s");
    const sweeps = await Promise.all(
      Array.from({ length: 4 }, () => db.transaction((tx) => sweepRuns(tx))),
    );
    expect(sweeps.flat()).toEqual([{ id, outcome: "requeued" }]);
    expect(await readRun(db, id)).toMatchObject({ status: "queued", fence: late.fence + 1 });
    expect(await beatRun(db, late, 0)).toEqual({ state: "lost" });
    expect(await start(id)).not.toBeNull();
  });

  test("while its step was at work: a write that comes too late is no failure of the step, and another goes on", async () => {
    let tries = 0;
    const { id, registry } = await ask({
      steps: [
        {
          name: "act",
          repeat: "safe",
          run: async ({ runtime }) => {
            tries++;
            if (tries === 1)
              await db.query("UPDATE control.run SET fence = fence + 1 WHERE id = $1", [id]);
            await runtime.pauseQueue({ kind: `kind-late-${id}`, reason: "r", forMs: 60_000 });
            return "paused";
          },
        },
      ],
    });
    await expect(workOn({ db, registry }, id)).rejects.toMatchObject({ code: "RUN_LOST" });
    expect((await readSteps(db, (await readRun(db, id))!.seq)).at(-1)?.status).toBe("running");
    await endLease(id);
    await workOn({ db, registry }, id);
    expect([tries, (await readRun(db, id))!.status]).toEqual([2, "succeeded"]);
  });

  test("and whose job is gone is stalled, its targets free, and people told", async () => {
    const { id } = await ask();
    const run = (await start(id, { targets: ["lamp-gone"] }))!;
    await db.transaction((tx) => takeTargetLocks(tx, run.seq, ["lamp-gone"]));
    await db.query("UPDATE jobs SET status = 'failed' WHERE seq = $1", [run.jobSeq]);
    await endLease(id, "21 s");
    const words: string[] = [];
    const tick = sweepRunsTick({
      db,
      notify: async (_sql, { key }) => void words.push(key),
    });
    await tick.run(new Date(), new AbortController().signal);
    expect(words).toEqual([`${id}/stalled`]);
    expect(await readRun(db, id)).toMatchObject({ status: "stalled" });
    const { rowCount } = await db.query("SELECT FROM control.target_lock WHERE run_seq = $1", [
      run.seq,
    ]);
    expect(rowCount).toBe(0);
  });

  test("when the database went away between act and record is gone on with at once when it is back", async () => {
    let tries = 0;
    const { id, registry } = await ask({
      steps: [{ name: "act", repeat: "safe", run: async () => `try ${++tries}` }],
    });
    let isAway = true;
    const wrapRecorder = (recorder: Recorder): Recorder => ({
      ...recorder,
      finish: async (step, ending) => {
        if (isAway && step.phase === "act")
          throw fault.transient("DATABASE_UNAVAILABLE", "database: terminating connection");
        await recorder.finish(step, ending);
      },
    });
    const work = () => workOn({ db, registry, other: { wrapRecorder } }, id);
    await expect(work()).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(await readRun(db, id)).toMatchObject({ status: "running" });
    isAway = false;
    await work();
    expect(await readRun(db, id)).toMatchObject({ status: "succeeded", outcome: "try 2" });
  });
});

describe("a run that people must agree to", () => {
  const BOB = {
    name: "bob",
    role: "admin",
    slack: ["T1/UBOB"],
    github: null,
    subjects: [],
    teams: [],
  } as const;
  const rule = { ...ACCESS.rules[1]!, approvals: 1 };
  const access = { ...ACCESS, people: [...ACCESS.people, BOB], rules: [ACCESS.rules[0]!, rule] };
  const policy = makePolicy({ access });
  const byAnn = {
    access,
    actor: { name: "ann", role: "operator", door: "cli", person: "ann" },
  } as const;
  const agree = (runId: string) =>
    castVote(db, {
      claim: { door: "slack", team: "T1", user: "UBOB" },
      ...{ runId, nonce: null, boundHash: null, decision: "approve", access },
    });

  async function askWithPlan(plan: () => string) {
    let acted = 0;
    const runbook = makeRunbook(`agreed-${++runs}`, {
      plan: async () => ({ text: "", changes: [plan()] }),
      steps: [
        {
          name: "act",
          repeat: "never",
          run: async () => {
            acted++;
            return "acted";
          },
        },
      ],
    });
    const registry = makeRegistry(runbook);
    const submitted = await submit(db, registry, runbook.name, byAnn);
    if (submitted.outcome === "refused") throw new Error(submitted.sentence);
    const { id } = submitted.run;
    const work = (inForce = policy) => workOn({ db, registry, policy: inForce }, id);
    return { id, work, acted: () => acted };
  }

  test("plans, waits without job and lease, and acts once they have", async () => {
    const { id, work, acted } = await askWithPlan(() => "turn it on");
    await work();
    expect(await readRun(db, id)).toMatchObject({
      ...{ status: "queued", waitingFor: "approval", jobSeq: null, leaseUntil: null },
      ...{ startedAt: null, deadlineAt: null, plan: { changes: ["turn it on"] } },
    });
    expect(await db.transaction(stallAbandonedRuns)).not.toContain(id);
    // A job that comes all the same does nothing.
    await work();
    expect(acted()).toBe(0);
    expect(await agree(id)).toMatchObject({ accepted: true, reason: "approved" });
    await work();
    expect(acted()).toBe(1);
    expect(await readRun(db, id)).toMatchObject({ status: "succeeded" });
  });

  test("is asked again when its plan has changed: what they agreed to is not what would run", async () => {
    let what = "turn it on";
    const { id, work, acted } = await askWithPlan(() => what);
    await work();
    const before = (await readRun(db, id))!;
    await agree(id);
    what = "burn it down";
    await work();
    const after = (await readRun(db, id))!;
    expect(acted()).toBe(0);
    expect(after).toMatchObject({ status: "queued", waitingFor: "approval" });
    expect(after.boundHash).not.toBe(before.boundHash);
    const { rows } = await db.query<{ action: string }>(
      "SELECT action FROM audit_log WHERE target = $1 AND action LIKE 'approval.%' ORDER BY seq",
      [id],
    );
    expect(rows.map(({ action }) => action)).toEqual([
      "approval.asked",
      "approval.given",
      "approval.voided",
      "approval.asked",
    ]);
  });

  test("ends when who asked for it has lost the right to meanwhile", async () => {
    const { id, work, acted } = await askWithPlan(() => "turn it on");
    const people = access.people.map((it) =>
      it.name === "ann" ? ({ ...it, role: "viewer" } as const) : it,
    );
    await work();
    await agree(id);
    await work(makePolicy({ access: { ...access, people } }));
    expect(acted()).toBe(0);
    expect(await readRun(db, id)).toMatchObject({
      status: "cancelled",
      outcome: expect.stringContaining("not allowed any more"),
    });
  });

  test("the previous version's sweeper, as it stands in its sources, leaves it alone", async () => {
    const { id, work } = await askWithPlan(() => "turn it on");
    await work();
    const { rows } = await db.query<{ id: string }>(
      `UPDATE control.run SET status = 'stalled', outcome = 'its job ended before it did: look before you repeat it',
         ended_at = now()
       WHERE status IN ('queued', 'running') AND job_seq IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM public.jobs WHERE jobs.seq = run.job_seq AND jobs.status IN ('pending', 'running'))
       RETURNING id`,
    );
    expect(rows.map((row) => row.id)).not.toContain(id);
  });
});

test("when all is stopped no further step begins, nothing is taken back, and the run is stalled", async () => {
  const did: string[] = [];
  let stopped: { by: string; reason: string; at: string; from: "file" } | null = null;
  const { id, registry } = await ask({
    undoOnFailure: "always",
    steps: ["one", "two"].map((name) => ({
      name,
      repeat: "safe",
      run: async () => {
        did.push(name);
        stopped = { by: "ann", reason: "fire", at: "2026-01-01T00:00:00Z", from: "file" };
        return name;
      },
      undo: { name: `undo ${name}`, repeat: "safe", run: async () => "undone" },
    })),
  });
  await workOn({ db, registry, other: { stop: { read: async () => stopped } } }, id);
  expect(did).toEqual(["one"]);
  expect(await readRun(db, id)).toMatchObject({
    ...{ status: "stalled", undone: null },
    outcome: expect.stringContaining("stopped by ann: fire"),
  });
});

test("what a run says and prints is kept by line, redacted, and bounded", async () => {
  const { id, registry } = await ask({
    plan: async () => ({ text: "with hunter2-hunter2", changes: ["use hunter2-hunter2"] }),
    verify: {
      withinMs: () => 0,
      everyMs: 1,
      check: async () => ({ state: "failed", text: "hunter2-hunter2 was refused" }),
    },
    steps: [
      {
        name: "act",
        repeat: "safe",
        run: async ({ say }) => {
          say("the key is hunter2-hunter2");
          for (let i = 0; i < 6_000; i++) say(`line ${i}`);
          const table = { columns: ["key"], rows: [["hunter2-hunter2"]] };
          return { text: "done with hunter2-hunter2", table };
        },
      },
    ],
  });
  const redact = (text: string) => text.replaceAll("hunter2-hunter2", "[redacted]");
  await workOn({ db, registry, other: { redact } }, id);
  const run = (await readRun(db, id))!;
  const lines = await readRunLines(db, run.seq, 0, 10_000);
  expect(lines).toHaveLength(5_001);
  expect(lines.map(({ lineNo }) => lineNo)).toEqual(lines.map((_, i) => i + 1));
  expect(lines.map(({ text }) => text)).toContain("the key is [redacted]");
  expect(lines.at(-1)?.text).toMatch(/^… 1\d{3} more lines$/);
  const kept = JSON.stringify([run, lines, await readSteps(db, run.seq)]);
  expect(kept).not.toContain("hunter2-hunter2");
});
