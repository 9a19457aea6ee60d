/** A run reaches as far as its runbook declares, and the database itself is what stops it there. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { Danger } from "../../src/policy/policy.js";
import { CAPABILITIES, type Capability } from "../../src/runbook/power.js";
import { forceBreakerOpen, resetBreakers } from "../../src/runtime/breaker-orders.js";
import { openPower } from "../../src/runtime/executor/power.js";
import type { RunbookHandlerDeps } from "../../src/runtime/handler/runbook.js";
import { leaveSafeMode } from "../../src/runtime/leave-safe-mode.js";
import { createRuntimeNotify } from "../../src/runtime/notify.js";
import { appendAudit, verifyAudit } from "../../src/store/audit.js";
import { grantStatements } from "../../src/store/capability-grants.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { listDependencies } from "../../src/store/dependencies.js";
import { findBrokenInvariants } from "../../src/store/invariants.js";
import { retryJob } from "../../src/store/job-actions.js";
import { listPauses, pauseQueue } from "../../src/store/pauses.js";
import { heldBy } from "../../src/store/run-leases.js";
import { requireCapability } from "../../src/store/run-role.js";
import { createRuntimeReader, createRuntimeWriter } from "../../src/store/runbook-runtime.js";
import { readRun } from "../../src/store/runs.js";
import { enterSafeMode, readSafeMode } from "../../src/store/safe-mode.js";
import { createSessionReader } from "../../src/store/session-care.js";
import { makePolicy } from "../support/make-policy.js";
import { createPowerWorld, declare, type PowerWorld, REFUSED } from "../support/power-world.js";
import { makeRegistry, makeRunbook, queueRun, workOn } from "../support/runbook-world.js";

let world: PowerWorld;
beforeAll(async () => {
  world = await createPowerWorld();
});
afterAll(() => world.close());

describe("what a runbook declares is what it may", () => {
  test("who declares to read jobs reads them, and cannot retry one", async () => {
    const seq = await world.failedJob();
    await world.withPower(["jobs:read"], async ({ db, power }) => {
      expect(power).toMatchObject({ enforced: true });
      const { rows } = await db.query<{ status: string }>(
        "SELECT status FROM public.jobs WHERE seq = $1",
        [seq],
      );
      expect(rows).toEqual([{ status: "failed" }]);
      const attempt = retryJob(db, { seq, actor: "ann", reason: "forbidden" });
      await expect(attempt).rejects.toMatchObject(REFUSED);
      await expect(attempt).rejects.toThrow(
        /made-up reached further than it may.*permission denied for table jobs/,
      );
    });
    expect(await world.statusOf(seq)).toBe("failed");
  });

  test("who declares to retry jobs retries one, and the audit says so", async () => {
    const seq = await world.failedJob();
    await world.withPower(["jobs:retry"], async ({ db }) => {
      expect(await retryJob(db, { seq, actor: "ann", reason: "asked" })).toMatchObject({
        outcome: "retried",
      });
    });
    expect(await world.statusOf(seq)).toBe("pending");
    expect(await verifyAudit(world.db)).toMatchObject({ ok: true });
  });

  test.each<[string, string]>([
    ["write into the audit log", "INSERT INTO public.audit_log SELECT * FROM public.audit_log"],
    ["empty the audit log", "DELETE FROM public.audit_log"],
    ["move the head of the chain", "UPDATE control.audit_head SET seq = 0"],
    ["read the policy bundles", "SELECT * FROM control.policy_bundle"],
    ["write its own record", "UPDATE control.run SET status = 'succeeded'"],
    ["take a lock from another run", "DELETE FROM control.target_lock"],
    ["approve itself", "INSERT INTO control.approval SELECT * FROM control.approval"],
    ["clear the stop switch", "UPDATE control.stop_switch SET active = false"],
    ["correct a payload", "UPDATE public.jobs SET payload = '{}'"],
    ["put jobs in", "INSERT INTO public.jobs (job_type) VALUES ('index')"],
    ["end a session", "SELECT control.end_session(1, now(), NULL, 'terminate')"],
    [
      "end a session of the server",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'",
    ],
    ["become the owner", "SET ROLE algobrain"],
    ["make a role", "CREATE ROLE algobrain_backdoor SUPERUSER"],
    ["read a file of the server", "SELECT pg_read_file('postgresql.conf')"],
    [
      "make a function that acts as the owner",
      "CREATE FUNCTION control.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
    ["switch triggers off", "SET session_replication_role = replica"],
  ])("whoever may retry and cancel jobs cannot %s", async (_what, statement) => {
    await world.withPower(["jobs:retry", "jobs:cancel"], async ({ db }) => {
      await expect(db.query(statement)).rejects.toMatchObject(REFUSED);
    });
  });

  test("every capability is a set of grants that this schema knows", async () => {
    await world.withPower(CAPABILITIES, async ({ db }) => {
      await appendAudit(db, { actor: "ann", action: "test.done", target: "all" });
      await db.query("SELECT count(*) FROM control.list_sessions()");
      await pauseQueue(db, { kind: "export", reason: "test", by: "ann", expiresAt: null });
    });
    expect(await listPauses(world.db)).toMatchObject([{ kind: "export" }]);
    expect(grantStatements("database:dump", "whole", "one")).toContain("ALTER DEFAULT PRIVILEGES");
  });

  test("a runbook that declares nothing gets nothing, and is told what to write", async () => {
    const opened = await openPower(world.deps(), await world.startedRun(), declare([]));
    await expect(opened.db.query("SELECT 1")).rejects.toMatchObject({
      code: "POWER_EXCEEDED",
      hint: expect.stringContaining("touches"),
    });
    expect(opened.power).toEqual({ role: null, enforced: true });
  });

  test.each<[string, { dryRun?: boolean }, Danger]>([
    ["a dry run", { dryRun: true }, "V"],
    ["a runbook that only reads", {}, "R"],
  ])("%s gets no right to change, whatever is declared", async (_what, more, danger) => {
    const run = await world.startedRun(more);
    const opened = await openPower(
      world.deps(),
      run,
      declare(["jobs:retry", "queues:pause"], danger),
    );
    try {
      expect((await opened.db.query("SELECT FROM public.jobs")).rowCount).toBeGreaterThan(0);
      const attempt = opened.db.query("DELETE FROM control.queue_pause");
      await expect(attempt).rejects.toMatchObject({
        ...REFUSED,
        hint: expect.stringContaining("only what reads"),
      });
    } finally {
      await opened.close();
    }
  });
});

test("a dry run sees what the run itself would look at first", async () => {
  const run = await world.startedRun({ dryRun: true });
  const declared = declare(["safe-mode:exit", "breakers:reset", "sessions:read"]);
  const { db, close } = await openPower(world.deps(), run, declared);
  try {
    expect(await findBrokenInvariants(db)).toEqual([]);
    expect(await listDependencies(db)).toEqual(await listDependencies(world.db));
    expect(await readSafeMode(db)).toMatchObject({ active: false });
    expect((await db.query("SELECT FROM control.list_sessions()")).rowCount).toBeGreaterThan(0);
    const enter = enterSafeMode(db, { reason: "test", by: "ann" });
    await expect(enter).rejects.toMatchObject(REFUSED);
  } finally {
    await close();
  }
});

test("a run counts the connections of the whole server, though it sees into none of them", async () => {
  const countAs = async (sql: Database) =>
    (await createSessionReader(sql, { poolSize: () => 10 }).connections()).used;
  await world.withPower(["sessions:read"], async ({ db }) => {
    const others = openDatabase({
      ...{ url: world.url, poolMax: 3, ssl: false, applicationName: "algobrain-test" },
    });
    await Promise.all([1, 2, 3].map(() => others.query("SELECT pg_sleep(0.05)")));
    // At least: other tests come and go on this server.
    expect(await countAs(db)).toBeGreaterThan(3);
    await others.close();
  });
});

test("what is done for a run outside of its statements asks for its capability, too", async () => {
  await world.withPower(["jobs:read", "database:restore"], async ({ db }, run) => {
    const held = heldBy(db, run);
    await requireCapability(held, "database:restore");
    await expect(requireCapability(held, "database:dump")).rejects.toMatchObject({
      kind: "refused",
      code: "POWER_EXCEEDED",
    });
  });
  // Whoever is no run is bounded elsewhere.
  await requireCapability(world.db, "database:dump");
});

describe("what the ports do is within what their capability grants", () => {
  const options = {
    ...{ actor: "ann", runId: "run-1", check: () => [] },
    now: () => systemClock.now(),
  };
  const HOUR_MS = 3_600_000;
  const writes: [Capability, (db: Database, seq: number) => Promise<unknown>][] = [
    [
      "jobs:submit",
      (db) =>
        createRuntimeWriter(db, options).submitJob({
          ...{ kind: "audit", payload: {}, key: "once", reason: "test" },
        }),
    ],
    [
      "jobs:retry",
      async (db, seq) =>
        createRuntimeWriter(db, options).retryJob({ seq, reason: "test", force: true }),
    ],
    [
      "jobs:retry",
      async (db) => {
        const filter = { kind: null, sinceMs: HOUR_MS };
        const { token } = await createRuntimeReader(db, {
          workerDeadAfterMs: HOUR_MS,
          check: () => [],
        }).countFailed(filter);
        return createRuntimeWriter(db, options).rerunFailed({
          ...{ ...filter, token, max: 10, afterSeq: 0, spacingMs: 1, reason: "test" },
        });
      },
    ],
    [
      "jobs:cancel",
      (db, seq) => createRuntimeWriter(db, options).cancelJob({ seq, reason: "test" }),
    ],
    [
      "jobs:correct",
      async (db, seq) => {
        const { fence } = (await createRuntimeReader(db, {
          workerDeadAfterMs: HOUR_MS,
          check: () => [],
        }).job(seq))!;
        return createRuntimeWriter(db, options).correctJob({
          ...{ seq, fence, payload: { repo: "x" }, reason: "test" },
        });
      },
    ],
    [
      "jobs:prioritize",
      async (db) => {
        const writer = createRuntimeWriter(db, options);
        const { moved } = await writer.prioritize({
          kind: "index",
          from: null,
          to: 8,
          reason: "test",
        });
        return writer.restorePriorities({ moved, reason: "test" });
      },
    ],
    [
      "queues:pause",
      async (db) => {
        const writer = createRuntimeWriter(db, options);
        await writer.pauseQueue({ kind: "index", reason: "test", forMs: HOUR_MS });
        await writer.pauseQueue({ kind: "index", reason: "again", forMs: HOUR_MS });
        expect(await writer.resumeQueue({ kind: "index", reason: "test" })).toBe(true);
      },
    ],
  ];

  const notify = createRuntimeNotify({ policy: makePolicy, now: () => systemClock.now() });
  const system = { notify, emit: () => {}, clock: systemClock };
  writes.push(
    [
      "safe-mode:exit",
      async (db) => {
        await enterSafeMode(world.db, { reason: "test", by: "ann" });
        const left = await leaveSafeMode(
          { ...system, db },
          { by: "ann", reason: "test", force: false },
        );
        expect(left).toEqual({ outcome: "left" });
        expect(await enterSafeMode(db, { reason: "taken back", by: "ann" })).toBe(true);
        await leaveSafeMode({ ...system, db }, { by: "ann", reason: "test", force: true });
      },
    ],
    [
      "breakers:reset",
      async (db) => {
        const order = { dependency: "slack", by: "ann" };
        await forceBreakerOpen({ ...system, db }, { ...order, durationMs: HOUR_MS });
        const reset = { ...order, reason: "test", gate: true };
        expect(await resetBreakers({ ...system, db }, reset)).toEqual(["slack"]);
      },
    ],
  );

  test.each(writes)("%s: every write, under the run's fence", async (capability, write) => {
    const seq = await world.failedJob();
    await world.db.query("INSERT INTO public.jobs (job_type) VALUES ('index')");
    await world.withPower([capability], (opened, run) => write(heldBy(opened.db, run), seq));
    expect(await verifyAudit(world.db)).toMatchObject({ ok: true });
  });

  test("whoever may change anything may read the runtime", async () => {
    const seq = await world.failedJob();
    await world.withPower(["sessions:end"], async ({ db }) => {
      const reader = createRuntimeReader(db, { workerDeadAfterMs: HOUR_MS, check: () => [] });
      await Promise.all([
        ...[reader.job(seq), reader.healingOf("job-1", 5), reader.attemptsOf(seq, 5)],
        ...[reader.auditOf("job-1", 5), reader.healing({ sinceMs: HOUR_MS, limit: 5 })],
        ...[reader.queues(), reader.pauses(), reader.liveWorkers(), reader.safeMode()],
        ...[reader.startedSince("index", new Date(0)), reader.quarantined(5)],
        ...[reader.countFailed({ kind: null, sinceMs: HOUR_MS }), reader.pendingOf("index")],
      ]);
    });
  });

  test("a run that was taken over writes nothing, though its role is still there", async () => {
    const seq = await world.failedJob();
    await world.withPower(["jobs:retry"], async ({ db }, run) => {
      await world.db.query("UPDATE control.run SET fence = fence + 1 WHERE seq = $1", [run.seq]);
      const attempt = createRuntimeWriter(heldBy(db, run), options).retryJob({
        ...{ seq, reason: "late", force: false },
      });
      await expect(attempt).rejects.toThrow(/was taken/);
    });
    expect(await world.statusOf(seq)).toBe("failed");
  });
});

describe("a run of a runbook that reaches further than it says", () => {
  const runWith = async (touches: readonly Capability[], seq: number) => {
    const runbook = {
      ...makeRunbook("reach-further", {
        steps: [
          {
            name: "retry",
            repeat: "safe",
            run: async ({ runtime }) => {
              await runtime.retryJob({ seq, reason: "reaching", force: false });
              return "retried";
            },
          },
        ],
      }),
      touches: { database: touches },
    };
    const registry = makeRegistry(runbook);
    const id = await queueRun(world.db, registry, runbook.name);
    const opened: (string | null)[] = [];
    const other: Partial<RunbookHandlerDeps> = {
      openPower: async (run) => {
        const power = await openPower(world.deps(), run, runbook);
        opened.push(power.power.role);
        return power;
      },
    };
    await workOn({ db: world.db, registry, other }, id);
    expect(await world.roleExists(opened[0] ?? null)).toBe(false);
    return { run: (await readRun(world.db, id))!, roles: opened.length };
  };

  test("ends as failed, says what to name, and the job is as it was", async () => {
    const seq = await world.failedJob();
    const { run, roles } = await runWith(["jobs:read"], seq);
    expect(roles).toBe(1);
    expect(run).toMatchObject({ status: "failed" });
    expect(run.outcome).toMatch(/reached further than it may.*permission denied for table jobs/);
    expect(run.outcome).toContain("it may jobs:read");
    expect(await world.statusOf(seq)).toBe("failed");
  });

  test("succeeds once it says so", async () => {
    const seq = await world.failedJob();
    expect((await runWith(["jobs:read", "jobs:retry"], seq)).run).toMatchObject({
      status: "succeeded",
    });
    expect(await world.statusOf(seq)).toBe("pending");
  });
});
