/** The login role of a run: made for it alone, gone with it, and of no use to anybody else. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { createLogger } from "../../src/base/log.js";
import { createRedact } from "../../src/base/redact.js";
import { CAPABILITIES } from "../../src/runbook/power.js";
import { databaseExaminations } from "../../src/runtime/doctor/database.js";
import { type Diagnosis, diagnose } from "../../src/runtime/doctor/diagnose.js";
import { openPower } from "../../src/runtime/executor/power.js";
import { verifyAudit } from "../../src/store/audit.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { retryJob } from "../../src/store/job-actions.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import { heldBy } from "../../src/store/run-leases.js";
import { actAsRunRole, sweepRunRoles } from "../../src/store/run-role.js";
import { NEEDS_PGBOUNCER, pgbouncerProgram, throughPgbouncer } from "../support/pgbouncer.js";
import { createPowerWorld, declare, type PowerWorld, REFUSED } from "../support/power-world.js";
import { until } from "../support/until.js";

let world: PowerWorld;
beforeAll(async () => {
  world = await createPowerWorld();
});
afterAll(() => world.close());

/** As another user of the server. */
function open(user: string, password: string): Database {
  const url = new URL(world.url);
  url.username = user;
  url.password = password;
  return openDatabase({ url: url.href, poolMax: 2, ssl: false, applicationName: "someone" });
}

describe("the role of a run", () => {
  test("is gone with its run, and so is its access", async () => {
    const name = await world.withPower(["jobs:read"], async ({ power }) => {
      expect(await world.roleExists(power.role)).toBe(true);
      return power.role;
    });
    expect(await world.roleExists(name)).toBe(false);
  });

  test("of a killed executor is swept, and what it still has open may nothing any more", async () => {
    const run = await world.startedRun();
    const opened = await openPower(world.deps(), run, declare(["jobs:read"]));
    await opened.db.connect(async (session) => {
      await session.query("SELECT FROM public.jobs");
      await sweepRunRoles(world.db);
      expect(await world.roleExists(opened.power.role)).toBe(true);
      // Another executor took the run over.
      await world.db.query("UPDATE control.run SET fence = fence + 1 WHERE seq = $1", [run.seq]);
      await sweepRunRoles(world.db);
      expect(await world.roleExists(opened.power.role)).toBe(false);
      await expect(session.query("SELECT FROM public.jobs")).rejects.toThrow(/permission denied/);
    });
    await opened.close();
  });

  test("of a database that is gone is swept with its capabilities, and names that only look like ours are left", async () => {
    const gone = ["algobrain_4000000001_run_1_1", "algobrain_4000000001_cap_jobs_read_0123abcd"];
    const others = ["algobrain_9999999999_cap_admins", "algobrain_4000000001_run_all"];
    const make = [...gone, ...others].map((name) => `CREATE ROLE ${name}`).join("; ");
    await world.db.query(make);
    await sweepRunRoles(world.db);
    expect(await Promise.all(gone.map(world.roleExists))).toEqual([false, false]);
    expect(await Promise.all(others.map(world.roleExists))).toEqual([true, true]);
    await world.db.query(`DROP ROLE ${others.join(", ")}`);
  });

  test("gets into a database that is closed to all, and takes back what a restore without rights left open", async () => {
    const name = new URL(world.url).pathname.slice(1);
    const revoke = (verb: string, to: string) =>
      world.db.query(`${verb} CONNECT ON DATABASE ${name} ${to} PUBLIC`);
    await revoke("REVOKE", "FROM");
    // As after pg_restore --no-acl, in a database where no capability was used yet.
    await world.db.query("GRANT EXECUTE ON FUNCTION control.list_sessions() TO PUBLIC");
    await world.db.query(
      "INSERT INTO control.migration (id, name, checksum) VALUES (9999, 'next', '')",
    );
    try {
      await world.withPower(["jobs:read"], async ({ db }) => {
        expect((await db.query("SELECT count(*) FROM public.jobs")).rowCount).toBe(1);
        await expect(db.query("SELECT * FROM control.list_sessions()")).rejects.toMatchObject(
          REFUSED,
        );
      });
    } finally {
      await world.db.query("DELETE FROM control.migration WHERE id = 9999");
      await revoke("GRANT", "TO");
    }
  });

  test("of an earlier fence and of this one are two: a run that was taken over works on", async () => {
    const run = await world.startedRun();
    const first = await openPower(world.deps(), run, declare(["jobs:read"]));
    await world.db.query("UPDATE control.run SET fence = 2 WHERE seq = $1", [run.seq]);
    const second = await openPower(world.deps(), { ...run, fence: 2 }, declare(["jobs:read"]));
    await first.close();
    expect((await second.db.query("SELECT count(*) FROM public.jobs")).rowCount).toBe(1);
    await second.close();
  });

  test("nobody logs in with it after its time", async () => {
    const run = await world.startedRun();
    const overdue = { ...run, deadlineAt: new Date(0) };
    const opened = await openPower(world.deps(), overdue, declare(["jobs:read"]));
    const { rows } = await world.db.query<{ minutes: number }>(
      `SELECT round(extract(epoch FROM rolvaliduntil - now()) / 60)::int AS minutes FROM pg_roles WHERE rolname = $1`,
      [opened.power.role],
    );
    expect(rows).toEqual([{ minutes: 11 }]);
    await world.db.query(`ALTER ROLE ${opened.power.role} VALID UNTIL '2020-01-01'`);
    const late = open(String(opened.power.role), opened.secrets[0]!);
    await expect(late.query("SELECT 1")).rejects.toThrow(/password authentication failed/);
    await late.close();
    await opened.close();
  });

  test("is gone also when a step was left behind in the midst of a transaction, which changes nothing any more", async () => {
    const seq = await world.failedJob();
    const opened = await openPower(
      world.deps(),
      await world.startedRun(),
      declare(["jobs:cancel"]),
    );
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
    expect(await world.roleExists(opened.power.role)).toBe(false);
    isClosed = true;
    await refused;
    expect(await world.statusOf(seq)).toBe("failed");
  });

  test("its password is in no statement of the server, in no log and in no audit", async () => {
    const lines: string[] = [];
    const log = createLogger({
      level: "debug",
      clock: systemClock,
      redact: createRedact([]),
      write: (line) => lines.push(line),
    });
    const run = await world.startedRun();
    const opened = await openPower(world.deps({ log }), run, declare(["jobs:read"]));
    const [password] = opened.secrets;
    await opened.db.query("SELECT 1");
    const { rows } = await world.db.query<{ seen: string }>(
      `SELECT coalesce(string_agg(query, ' '), '') || (SELECT coalesce(string_agg(details::text, ' '), '') FROM public.audit_log) AS seen
       FROM pg_stat_activity`,
    );
    await opened.close();
    expect(password).toMatch(/^[\w-]{32}$/);
    expect(rows[0]!.seen + lines.join()).not.toContain(password);
  });

  test("twenty runs at once get theirs, and each is dropped", async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, () => world.startedRun()));
    const opened = await Promise.all(
      runs.map((run, i) =>
        openPower(world.deps(), run, declare([CAPABILITIES[i % 5]!, "jobs:read"])),
      ),
    );
    const names = new Set(opened.map(({ power }) => power.role));
    expect(names.size).toBe(20);
    await Promise.all(opened.map(({ db }) => db.query("SELECT count(*) FROM public.jobs")));
    await Promise.all(opened.map(({ close }) => close()));
    for (const name of names) expect(await world.roleExists(name)).toBe(false);
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

  const withOwner = async (work: (db: Database) => Promise<void>) => {
    await world.db.query(`CREATE ROLE ${owner} LOGIN CREATEROLE PASSWORD 'owner-password';
      GRANT pg_signal_backend TO ${owner};
      DO $$ DECLARE it record; BEGIN ${OURS}
      LOOP EXECUTE format('ALTER %s OWNER TO ${owner}', it.name); END LOOP; END $$`);
    const db = open(owner, "owner-password");
    try {
      await work(db);
    } finally {
      await db.close();
      await world.db.query(
        `REASSIGN OWNED BY ${owner} TO CURRENT_USER; DROP OWNED BY ${owner}; DROP ROLE ${owner}`,
      );
    }
  };

  test("gives runs their roles all the same, as on a server that somebody else keeps", async () => {
    const seq = await world.failedJob();
    await withOwner(async (db) => {
      const run = await world.startedRun();
      const declared = declare(["jobs:read", "jobs:retry"]);
      const opened = await openPower(world.deps({ db }), run, declared);
      await retryJob(heldBy(opened.db, run), { seq, actor: "ann", reason: "asked" });
      const attempt = opened.db.query("SELECT * FROM control.policy_bundle");
      await expect(attempt).rejects.toMatchObject(REFUSED);
      // As on a full server.
      const role = String(opened.power.role);
      const borrowed = await actAsRunRole(db, role, (tx) =>
        tx.query("SELECT current_user AS me, session_user AS whose"),
      );
      expect(borrowed.rows).toEqual([{ me: role, whose: owner }]);
      await opened.close();
      expect(await world.roleExists(role)).toBe(false);
      expect(await world.statusOf(seq)).toBe("pending");
      expect(await verifyAudit(world.db)).toMatchObject({ ok: true });
    });
  });

  test("ends no session that it cannot see into: it may be anybody's", async () => {
    const other = `other_${process.pid}`;
    await world.db.query(`CREATE ROLE ${other} LOGIN PASSWORD 'other-password'`);
    const others = open(other, "other-password");
    await withOwner(async (db) => {
      const opened = await openPower(
        world.deps({ db }),
        await world.startedRun(),
        declare(["sessions:end"]),
      );
      await others.connect(async (session) => {
        const { rows } = await session.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        const { rows: said } = await opened.db.query(
          "SELECT control.end_session($1, now(), NULL, 'terminate') AS word",
          [rows[0]!.pid],
        );
        expect(said).toEqual([{ word: "protected" }]);
        expect((await session.query("SELECT 1")).rowCount).toBe(1);
      });
      await opened.close();
    });
    await others.close();
    await world.db.query(`DROP ROLE ${other}`);
  });
});

describe("a server that has no session left", () => {
  test("lends a run one of the executor's, with the rights of the run and no others", async () => {
    const name = new URL(world.url).pathname.slice(1);
    const limit = (to: number) => world.db.query(`ALTER DATABASE ${name} CONNECTION LIMIT ${to}`);
    const seq = await world.failedJob();
    const lines: string[] = [];
    const log = createLogger({
      ...{ level: "info", clock: systemClock, redact: (text) => text },
      write: (line) => lines.push(line),
    });
    // Its user may do everything, and is let in all the same.
    await limit(0);
    try {
      const run = await world.startedRun();
      const declared = declare(["jobs:retry"]);
      const { db, power, close } = await openPower(world.deps({ log }), run, declared);
      expect((await db.query("SELECT current_user AS me")).rows).toEqual([{ me: power.role }]);
      const held = heldBy(db, run);
      expect(await retryJob(held, { seq, actor: "ann", reason: "asked" })).toMatchObject({
        outcome: "retried",
      });
      for (const beyond of ["SELECT * FROM control.policy_bundle", "DELETE FROM public.audit_log"])
        await expect(db.query(beyond)).rejects.toMatchObject(REFUSED);
      await close();
      expect(await world.roleExists(power.role)).toBe(false);
    } finally {
      await limit(-1);
    }
    expect(lines.filter((line) => line.includes("run.session-borrowed"))).toHaveLength(1);
    expect((await world.db.query("SELECT current_user <> session_user AS other")).rows).toEqual([
      { other: false },
    ]);
  });
});

describe("a pooler in between", () => {
  test.skipIf(pgbouncerProgram === null)(
    `${NEEDS_PGBOUNCER} that knows no role of a run is named, with the setting that leads past it`,
    async () => {
      await throughPgbouncer(world.url, async (url) => {
        const run = await world.startedRun();
        const attempt = openPower(world.deps({ directUrl: url }), run, declare(["jobs:retry"]));
        await expect(attempt).rejects.toMatchObject({
          kind: "refused",
          code: "POWER_NOT_ENFORCED",
          message: expect.stringContaining("a pooler stands in between"),
          hint: expect.stringContaining("DATABASE_DIRECT_URL"),
        });
        const { rows } = await world.db.query<{ role: string }>(
          `SELECT format('algobrain_%s_run_%s_1', oid, $1::int) AS role FROM pg_database WHERE datname = current_database()`,
          [run.seq],
        );
        expect(await world.roleExists(rows[0]!.role)).toBe(false);
      });
    },
  );
});

/** As `algobrain doctor` tells it. */
async function rolesOf(db: Database): Promise<Diagnosis | undefined> {
  const files = await readMigrationFiles();
  const parts = { db, files, clock: systemClock, isShared: true };
  const examinations = databaseExaminations(parts);
  return (await diagnose(examinations.filter(({ what }) => what === "roles")))[0];
}

describe("a server that gives us no roles", () => {
  const withPlainUser = async (work: (db: Database) => Promise<void>) => {
    const user = `plain_${process.pid}`;
    await world.db.query(`CREATE ROLE ${user} LOGIN PASSWORD 'plain-password'; GRANT USAGE ON SCHEMA control TO ${user};
      GRANT SELECT ON control.migration TO ${user}`);
    const db = open(user, "plain-password");
    try {
      await work(db);
    } finally {
      await db.close();
      await world.db.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
    }
  };

  test("a run that changes something is refused with the remedy, but for local; one that reads goes", async () => {
    await withPlainUser(async (db) => {
      expect(await rolesOf(world.db)).toMatchObject({ status: "ok" });
      expect(await rolesOf(db)).toMatchObject({
        status: "fail",
        remedy: expect.stringContaining("CREATEROLE"),
      });
      const run = await world.startedRun();
      await expect(
        openPower(world.deps({ db }), run, declare(["jobs:retry"])),
      ).rejects.toMatchObject({
        kind: "refused",
        code: "POWER_NOT_ENFORCED",
        hint: expect.stringContaining("CREATEROLE"),
      });
      const local = await openPower(
        world.deps({ db, environment: "local" }),
        run,
        declare(["jobs:retry"]),
      );
      expect(local.power).toEqual({ role: null, enforced: false });
      const reading = await openPower(world.deps({ db }), run, declare(["jobs:read"], "R"));
      expect(reading.power.enforced).toBe(false);
    });
  });
});
