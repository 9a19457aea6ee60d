/** A run reaches as far as its runbook declares, and the database itself is what stops it there. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { createLogger, silentLogger } from "../../src/base/log.js";
import { createRedact } from "../../src/base/redact.js";
import type { Danger } from "../../src/policy/policy.js";
import type { Capability } from "../../src/runbook/power.js";
import { CAPABILITIES } from "../../src/runbook/power.js";
import type { Run } from "../../src/runbook/run.js";
import { type OpenedPower, openPower, type PowerDeps } from "../../src/runtime/executor/power.js";
import type { RunbookHandlerDeps } from "../../src/runtime/handler/runbook.js";
import { appendAudit, verifyAudit } from "../../src/store/audit.js";
import { grantStatements } from "../../src/store/capability-grants.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { retryJob } from "../../src/store/job-actions.js";
import { listPauses, pauseQueue } from "../../src/store/pauses.js";
import { heldBy } from "../../src/store/run-leases.js";
import { sweepRunRoles } from "../../src/store/run-role.js";
import { createRuntimeReader, createRuntimeWriter } from "../../src/store/runbook-runtime.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRegistry, makeRunbook, queueRun, workOn } from "../support/runbook-world.js";
import { until } from "../support/until.js";

let ground: TestDatabase;
beforeAll(async () => {
  ground = await createTestDatabase();
});
afterAll(async () => {
  await ground.db.query("UPDATE control.run SET status = 'failed'");
  await sweepRunRoles(ground.db);
  await ground.drop();
});

const deps = (more: Partial<PowerDeps> = {}): PowerDeps => ({
  db: ground.db,
  directUrl: ground.url,
  ssl: false,
  environment: "production",
  log: silentLogger,
  clock: systemClock,
  ...more,
});

async function startedRun(more: { dryRun?: boolean } = {}): Promise<Run> {
  const { rows } = await ground.db.query<{ id: string }>(
    `INSERT INTO control.run (runbook, actor, role, door, content_hash, dry_run, status, fence, started_at)
     VALUES ('made-up', 'ann', 'operator', 'cli', 'hash', $1, 'running', 1, now()) RETURNING id`,
    [more.dryRun ?? false],
  );
  return (await readRun(ground.db, rows[0]!.id))!;
}

const declare = (database: readonly Capability[], danger: Danger = "V") => ({
  name: "made-up",
  danger,
  touches: { database },
});

async function withPower<T>(
  database: readonly Capability[],
  work: (opened: OpenedPower, run: Run) => Promise<T>,
): Promise<T> {
  const run = await startedRun();
  const opened = await openPower(deps(), run, declare(database));
  try {
    return await work(opened, run);
  } finally {
    await opened.close();
  }
}

async function failedJob(): Promise<number> {
  const { rows } = await ground.db.query<{ seq: number }>(
    "INSERT INTO public.jobs (job_type, status, error) VALUES ('index', 'failed', 'broken') RETURNING seq",
  );
  return rows[0]!.seq;
}

const statusOf = async (seq: number) =>
  (
    await ground.db.query<{ status: string }>("SELECT status FROM public.jobs WHERE seq = $1", [
      seq,
    ])
  ).rows[0]?.status;

const REFUSED = { kind: "refused", code: "POWER_EXCEEDED", details: { sqlstate: "42501" } };

async function roleExists(name: string | null): Promise<boolean> {
  const { rows } = await ground.db.query("SELECT FROM pg_roles WHERE rolname = $1", [name]);
  return rows.length === 1;
}

describe("what a runbook declares is what it may", () => {
  test("who declares to read jobs reads them, and cannot retry one", async () => {
    const seq = await failedJob();
    await withPower(["jobs:read"], async ({ db, power }) => {
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
    expect(await statusOf(seq)).toBe("failed");
  });

  test("who declares to retry jobs retries one, and the audit says so", async () => {
    const seq = await failedJob();
    await withPower(["jobs:retry"], async ({ db }) => {
      expect(await retryJob(db, { seq, actor: "ann", reason: "asked" })).toMatchObject({
        outcome: "retried",
      });
    });
    expect(await statusOf(seq)).toBe("pending");
    expect(await verifyAudit(ground.db)).toMatchObject({ ok: true });
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
    await withPower(["jobs:retry", "jobs:cancel"], async ({ db }) => {
      await expect(db.query(statement)).rejects.toMatchObject(REFUSED);
    });
  });

  test("every capability is a set of grants that this schema knows", async () => {
    await withPower(CAPABILITIES, async ({ db }) => {
      await appendAudit(db, { actor: "ann", action: "test.done", target: "all" });
      await db.query("SELECT count(*) FROM control.list_sessions()");
      await pauseQueue(db, { kind: "export", reason: "test", by: "ann", expiresAt: null });
    });
    expect(await listPauses(ground.db)).toMatchObject([{ kind: "export" }]);
    expect(grantStatements("database:dump", "one")).toContain("ALTER DEFAULT PRIVILEGES");
  });

  test("a runbook that declares nothing gets nothing, and is told what to write", async () => {
    const opened = await openPower(deps(), await startedRun(), declare([]));
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
    const run = await startedRun(more);
    const opened = await openPower(deps(), run, declare(["jobs:retry", "queues:pause"], danger));
    try {
      expect((await opened.db.query("SELECT FROM public.jobs")).rowCount).toBeGreaterThan(0);
      const attempt = opened.db.query("DELETE FROM control.queue_pause");
      await expect(attempt).rejects.toMatchObject(REFUSED);
    } finally {
      await opened.close();
    }
  });
});

describe("what the ports do is within what their capability grants", () => {
  const options = { actor: "ann", check: () => [], now: () => systemClock.now() };
  const HOUR_MS = 3_600_000;
  const writes: [Capability, (db: Database, seq: number) => Promise<unknown>][] = [
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

  test.each(writes)("%s: every write, under the run's fence", async (capability, write) => {
    const seq = await failedJob();
    await ground.db.query("INSERT INTO public.jobs (job_type) VALUES ('index')");
    await withPower([capability], (opened, run) => write(heldBy(opened.db, run), seq));
    expect(await verifyAudit(ground.db)).toMatchObject({ ok: true });
  });

  test("whoever may change anything may read the runtime", async () => {
    const seq = await failedJob();
    await withPower(["sessions:end"], async ({ db }) => {
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
    const seq = await failedJob();
    await withPower(["jobs:retry"], async ({ db }, run) => {
      await ground.db.query("UPDATE control.run SET fence = fence + 1 WHERE seq = $1", [run.seq]);
      const attempt = createRuntimeWriter(heldBy(db, run), options).retryJob({
        ...{ seq, reason: "late", force: false },
      });
      await expect(attempt).rejects.toThrow(/was taken/);
    });
    expect(await statusOf(seq)).toBe("failed");
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
    const id = await queueRun(ground.db, registry, runbook.name);
    const opened: (string | null)[] = [];
    const other: Partial<RunbookHandlerDeps> = {
      openPower: async (run) => {
        const power = await openPower(deps(), run, runbook);
        opened.push(power.power.role);
        return power;
      },
    };
    await workOn({ db: ground.db, registry, other }, id);
    expect(await roleExists(opened[0] ?? null)).toBe(false);
    return { run: (await readRun(ground.db, id))!, roles: opened.length };
  };

  test("ends as failed, says what to name, and the job is as it was", async () => {
    const seq = await failedJob();
    const { run, roles } = await runWith(["jobs:read"], seq);
    expect(roles).toBe(1);
    expect(run).toMatchObject({ status: "failed" });
    expect(run.outcome).toMatch(/reached further than it may.*permission denied for table jobs/);
    expect(run.outcome).toContain("it may jobs:read");
    expect(await statusOf(seq)).toBe("failed");
  });

  test("succeeds once it says so", async () => {
    const seq = await failedJob();
    expect((await runWith(["jobs:read", "jobs:retry"], seq)).run).toMatchObject({
      status: "succeeded",
    });
    expect(await statusOf(seq)).toBe("pending");
  });
});

describe("the role of a run", () => {
  test("is gone with its run, and so is its access", async () => {
    const name = await withPower(["jobs:read"], async ({ power }) => {
      expect(await roleExists(power.role)).toBe(true);
      return power.role;
    });
    expect(await roleExists(name)).toBe(false);
  });

  test("of a killed executor is swept, and what it still has open may nothing any more", async () => {
    const run = await startedRun();
    const opened = await openPower(deps(), run, declare(["jobs:read"]));
    await opened.db.connect(async (session) => {
      await session.query("SELECT FROM public.jobs");
      await sweepRunRoles(ground.db);
      expect(await roleExists(opened.power.role)).toBe(true);
      // Another executor took the run over.
      await ground.db.query("UPDATE control.run SET fence = fence + 1 WHERE seq = $1", [run.seq]);
      await sweepRunRoles(ground.db);
      expect(await roleExists(opened.power.role)).toBe(false);
      await expect(session.query("SELECT FROM public.jobs")).rejects.toThrow(/permission denied/);
    });
    await opened.close();
  });

  test("of a database that is gone is swept with its capabilities, and names that only look like ours are left", async () => {
    const gone = ["algobrain_4000000001_run_1_1", "algobrain_4000000001_cap_jobs_read_0123abcd"];
    const others = ["algobrain_9999999999_cap_admins", "algobrain_4000000001_run_all"];
    const make = [...gone, ...others].map((name) => `CREATE ROLE ${name}`).join("; ");
    await ground.db.query(make);
    await sweepRunRoles(ground.db);
    expect(await Promise.all(gone.map(roleExists))).toEqual([false, false]);
    expect(await Promise.all(others.map(roleExists))).toEqual([true, true]);
    await ground.db.query(`DROP ROLE ${others.join(", ")}`);
  });

  test("gets into a database that is closed to all, and takes back what a restore without rights left open", async () => {
    const name = new URL(ground.url).pathname.slice(1);
    const revoke = (verb: string, to: string) =>
      ground.db.query(`${verb} CONNECT ON DATABASE ${name} ${to} PUBLIC`);
    await revoke("REVOKE", "FROM");
    // As after pg_restore --no-acl, in a database where no capability was used yet.
    await ground.db.query("GRANT EXECUTE ON FUNCTION control.list_sessions() TO PUBLIC");
    await ground.db.query(
      "INSERT INTO control.migration (id, name, checksum) VALUES (9999, 'next', '')",
    );
    await withPower(["jobs:read"], async ({ db }) => {
      expect((await db.query("SELECT FROM public.jobs LIMIT 1")).rowCount).toBe(1);
      await expect(db.query("SELECT * FROM control.list_sessions()")).rejects.toMatchObject(
        REFUSED,
      );
    });
    await ground.db.query("DELETE FROM control.migration WHERE id = 9999");
    await revoke("GRANT", "TO");
  });

  test("of an earlier fence and of this one are two: a run that was taken over works on", async () => {
    const run = await startedRun();
    const first = await openPower(deps(), run, declare(["jobs:read"]));
    await ground.db.query("UPDATE control.run SET fence = 2 WHERE seq = $1", [run.seq]);
    const second = await openPower(deps(), { ...run, fence: 2 }, declare(["jobs:read"]));
    await first.close();
    expect((await second.db.query("SELECT FROM public.jobs LIMIT 1")).rowCount).toBe(1);
    await second.close();
  });

  test("nobody logs in with it after its time", async () => {
    const run = await startedRun();
    const late = { ...run, deadlineAt: new Date(0) };
    const opened = await openPower(deps(), late, declare(["jobs:read"]));
    const { rows } = await ground.db.query<{ minutes: number }>(
      `SELECT round(extract(epoch FROM rolvaliduntil - now()) / 60)::int AS minutes FROM pg_roles WHERE rolname = $1`,
      [opened.power.role],
    );
    expect(rows).toEqual([{ minutes: 11 }]);
    await ground.db.query(`ALTER ROLE ${opened.power.role} VALID UNTIL '2020-01-01'`);
    await expect(opened.db.query("SELECT 1")).rejects.toThrow(/password authentication failed/);
    await opened.close();
  });

  test("is gone also when a step was left behind in the midst of a transaction, which changes nothing any more", async () => {
    const seq = await failedJob();
    const opened = await openPower(deps(), await startedRun(), declare(["jobs:cancel"]));
    let isHolding = false;
    let isClosed = false;
    const left = opened.db.transaction(async (tx) => {
      await tx.query("SELECT FROM public.jobs WHERE seq = $1 FOR UPDATE", [seq]);
      isHolding = true;
      await until(() => isClosed, "the power is closed");
      await tx.query(
        "UPDATE public.jobs SET status = 'cancelled', fence = fence + 1 WHERE seq = $1",
        [seq],
      );
    });
    const refused = expect(left).rejects.toThrow(/permission denied/);
    await until(() => isHolding, "the step holds the row");
    await opened.close();
    expect(await roleExists(opened.power.role)).toBe(false);
    isClosed = true;
    await refused;
    expect(await statusOf(seq)).toBe("failed");
  });

  test("its password is in no statement of the server, in no log and in no audit", async () => {
    const lines: string[] = [];
    const log = createLogger({
      level: "debug",
      clock: systemClock,
      redact: createRedact([]),
      write: (line) => lines.push(line),
    });
    const run = await startedRun();
    const opened = await openPower(deps({ log }), run, declare(["jobs:read"]));
    const [password] = opened.secrets;
    await opened.db.query("SELECT 1");
    const { rows } = await ground.db.query<{ seen: string }>(
      `SELECT coalesce(string_agg(query, ' '), '') || (SELECT coalesce(string_agg(details::text, ' '), '') FROM public.audit_log) AS seen
       FROM pg_stat_activity`,
    );
    await opened.close();
    expect(password).toMatch(/^[\w-]{32}$/);
    expect(rows[0]!.seen + lines.join()).not.toContain(password);
  });

  test("twenty runs at once get theirs, and each is dropped", async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, () => startedRun()));
    const opened = await Promise.all(
      runs.map((run, i) => openPower(deps(), run, declare([CAPABILITIES[i % 5]!, "jobs:read"]))),
    );
    const names = new Set(opened.map(({ power }) => power.role));
    expect(names.size).toBe(20);
    await Promise.all(opened.map(({ db }) => db.query("SELECT FROM public.jobs LIMIT 1")));
    await Promise.all(opened.map(({ close }) => close()));
    for (const name of names) expect(await roleExists(name)).toBe(false);
  });
});

describe("a database user that is no superuser, and may create roles", () => {
  const owner = `owner_${process.pid}`;
  const OURS = `
    FOR it IN SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS name
        FROM pg_class c LEFT JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'i' AND d.refclassid = 'pg_class'::regclass
        WHERE c.relnamespace IN ('public'::regnamespace, 'control'::regnamespace) AND c.relkind IN ('r', 'p')
      UNION ALL SELECT 'FUNCTION ' || p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'control'::regnamespace
      UNION ALL SELECT 'SCHEMA control' UNION ALL SELECT 'SCHEMA public'`;

  test("gives runs their roles all the same, as on a server that somebody else keeps", async () => {
    await ground.db.query(`CREATE ROLE ${owner} LOGIN CREATEROLE PASSWORD 'owner-password';
      DO $$ DECLARE it record; BEGIN ${OURS}
      LOOP EXECUTE format('ALTER %s OWNER TO ${owner}', it.name); END LOOP; END $$`);
    const url = new URL(ground.url);
    url.username = owner;
    url.password = "owner-password";
    const db = openDatabase({
      url: url.toString(),
      poolMax: 2,
      ssl: false,
      applicationName: "test",
    });
    const seq = await failedJob();
    try {
      const run = await startedRun();
      const opened = await openPower(deps({ db }), run, declare(["jobs:read", "jobs:retry"]));
      await retryJob(heldBy(opened.db, run), { seq, actor: "ann", reason: "asked" });
      await expect(opened.db.query("SELECT * FROM control.policy_bundle")).rejects.toMatchObject(
        REFUSED,
      );
      await opened.close();
      expect(await roleExists(opened.power.role)).toBe(false);
      expect(await statusOf(seq)).toBe("pending");
      expect(await verifyAudit(ground.db)).toMatchObject({ ok: true });
    } finally {
      await db.close();
      await ground.db.query(
        `REASSIGN OWNED BY ${owner} TO CURRENT_USER; DROP OWNED BY ${owner}; DROP ROLE ${owner}`,
      );
    }
  });
});

describe("a server that gives us no roles", () => {
  const withPlainUser = async (work: (db: TestDatabase["db"]) => Promise<void>) => {
    const user = `plain_${process.pid}`;
    await ground.db.query(`CREATE ROLE ${user} LOGIN PASSWORD 'plain-password'; GRANT USAGE ON SCHEMA control TO ${user};
      GRANT SELECT ON control.migration TO ${user}`);
    const url = new URL(ground.url);
    url.username = user;
    url.password = "plain-password";
    const db = openDatabase({
      url: url.toString(),
      poolMax: 1,
      ssl: false,
      applicationName: "test",
    });
    try {
      await work(db);
    } finally {
      await db.close();
      await ground.db.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
    }
  };

  test("a run that changes something is refused with the remedy, but for local; one that reads goes", async () => {
    await withPlainUser(async (db) => {
      const run = await startedRun();
      await expect(openPower(deps({ db }), run, declare(["jobs:retry"]))).rejects.toMatchObject({
        kind: "refused",
        code: "POWER_NOT_ENFORCED",
        hint: expect.stringContaining("CREATEROLE"),
      });
      const local = await openPower(
        deps({ db, environment: "local" }),
        run,
        declare(["jobs:retry"]),
      );
      expect(local.power).toEqual({ role: null, enforced: false });
      const reading = await openPower(deps({ db }), run, declare(["jobs:read"], "R"));
      expect(reading.power.enforced).toBe(false);
    });
  });
});
