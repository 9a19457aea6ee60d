import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { DAY_MS } from "../../src/base/duration.js";
import { SecretText } from "../../src/base/secret-text.js";
import { CAPABILITIES } from "../../src/runbook/power.js";
import { databaseExaminations } from "../../src/runtime/doctor/database.js";
import { diagnose } from "../../src/runtime/doctor/diagnose.js";
import { grantToGroups, makeApplicationUsers } from "../../src/store/application-users.js";
import { appendAudit, verifyAudit } from "../../src/store/audit.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { careForTable, listIndexes, rebuildIndex } from "../../src/store/maintenance.js";
import { migrate } from "../../src/store/migrate.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import { actAsRunRole, createRunRole, sweepRunRoles } from "../../src/store/run-role.js";
import {
  addSampleDay,
  dropSampleDay,
  listSampleDaysBefore,
} from "../../src/store/sample-partitions.js";
import { createTwoUsers, type TwoUsers } from "../support/two-users.js";

let users: TwoUsers;
let app: Database;
beforeAll(async () => {
  users = await createTwoUsers();
  app = users.application;
});
afterAll(() => users.drop());

const now = async () => (await app.query<{ now: Date }>("SELECT now() AS now")).rows[0]!.now;

describe("the user of the services, who owns nothing (HB-aws-24)", () => {
  test.each([
    "CREATE TABLE public.mine (id integer)",
    "CREATE TABLE control.mine (id integer)",
    "CREATE SCHEMA mine",
    "ALTER TABLE public.jobs ADD COLUMN mine integer",
    "DROP TABLE public.scores",
    "DROP TABLE control.sample_default",
    "TRUNCATE public.events",
    "CREATE INDEX mine ON public.jobs (seq)",
    "ALTER TABLE public.audit_log DISABLE TRIGGER ALL",
    "INSERT INTO public.audit_log (actor, action, target) VALUES ('a', 'b', 'c')",
    "UPDATE public.audit_log SET actor = 'other'",
    "UPDATE control.audit_head SET seq = 0",
    "INSERT INTO control.migration (id, name, checksum) VALUES (9999, 'x', 'x')",
    "DELETE FROM public.migrations",
    "CREATE OR REPLACE FUNCTION control.audit_append(actor text, action text, target text, details jsonb) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
  ])("may not: %s", async (statement) => {
    await expect(app.query(statement)).rejects.toMatchObject({
      details: { sqlstate: "42501" },
    });
  });

  test("may not become the owner, nor change the owner or the other user", async () => {
    for (const statement of [
      `SET ROLE ${users.group}_owner`,
      `GRANT ${users.group}_owner TO CURRENT_USER`,
      `ALTER ROLE ${users.group}_owner PASSWORD 'x'`,
      `ALTER ROLE ${users.group}_b PASSWORD 'x'`,
      "CREATE ROLE mine",
    ])
      await expect(app.query(statement), statement).rejects.toMatchObject({
        details: { sqlstate: "42501" },
      });
  });

  test.each([
    "SELECT control.make_capability_role('mine')",
    "SELECT control.make_capability_role('algobrain_1_cap_jobs_read_00000000')",
    "SELECT control.make_run_role('postgres', 'x', now(), 1, '{1,1,1}', '{x}')",
    "SELECT control.lend_run_role('pg_monitor')",
    "SELECT control.drop_run_role('postgres')",
    "SELECT control.drop_run_role(NULL)",
  ])(
    "makes, takes and drops no roles but those of runs of this database: %s",
    async (statement) => {
      await expect(app.query(statement)).rejects.toMatchObject({ details: { sqlstate: "22023" } });
    },
  );

  test("starts on a schema that is up to date, and names who brings it there when it is not", async () => {
    const files = await readMigrationFiles();
    expect(await migrate(app, files)).toEqual({ applied: [], newer: [] });
    const later = { id: 9990, name: "9990_later", sql: "SELECT 1", checksum: "x" };
    await expect(
      migrate(app, { ...files, control: [...files.control, later] }),
    ).rejects.toMatchObject({
      code: "MIGRATION_REFUSED",
      message: expect.stringContaining(`${users.group}_a does not own its tables`),
    });
  });

  test("makes and drops days of samples, and nothing else by their functions", async () => {
    await app.query(
      `WITH made AS (INSERT INTO control.series (metric) VALUES ('m') RETURNING id)
       INSERT INTO control.sample (series_id, at, value) SELECT id, now() + interval '30 hours', 7 FROM made`,
    );
    const today = await now();
    const added: (string | null)[] = [];
    do added.push(await app.transaction((tx) => addSampleDay(tx, today, 3)));
    while (added.at(-1) !== null);
    expect(added.length).toBeGreaterThan(2);
    const days = await listSampleDaysBefore(app, new Date(today.getTime() + 4 * DAY_MS));
    const rows: number[] = [];
    for (const day of days) rows.push(await app.transaction((tx) => dropSampleDay(tx, day)));
    expect(rows.reduce((sum, count) => sum + count, 0)).toBe(1);
    for (const wanted of [
      "public.jobs",
      "control.sample_default",
      "control.sample",
      "x; DROP TABLE y",
    ])
      await expect(dropSampleDay(app, wanted), wanted).rejects.toThrow();
    await expect(addSampleDay(app, today, 5_000)).rejects.toThrow("expected 0 to 366");
  });

  test("appends to the audit chain by its function, which still fits", async () => {
    await app.transaction((tx) => appendAudit(tx, { actor: "a", action: "b.c", target: "d" }));
    expect(await verifyAudit(app)).toMatchObject({ ok: true, brokenAt: null });
  });

  test("vacuums and rebuilds where the server has a right for it (17), and is refused in words elsewhere", async () => {
    const [index] = (await listIndexes(app)).filter(({ qualified }) => /jobs_pkey/.test(qualified));
    await app.connect(async (session) => {
      await careForTable(session, "public.jobs", "vacuum");
      await rebuildIndex(session, index!);
    });
    await users.owner.query(`REVOKE MAINTAIN ON public.jobs FROM ${users.group}`);
    await app.connect(async (session) => {
      const refused = { kind: "refused", code: "DATABASE_CARE_REFUSED" };
      await expect(careForTable(session, "public.jobs", "vacuum")).rejects.toMatchObject(refused);
      await expect(rebuildIndex(session, index!)).rejects.toMatchObject(refused);
    });
    expect(await grantToGroups(users.owner)).toEqual([users.group]);
    await app.connect((session) => careForTable(session, "public.jobs", "analyze"));
  });

  test("has what later migrations make, and of the ledgers and the chain no more than before", async () => {
    await users.owner.query(
      "CREATE TABLE control.later (id bigserial, text text); INSERT INTO control.later DEFAULT VALUES",
    );
    await app.query("INSERT INTO control.later DEFAULT VALUES");
    expect((await app.query("DELETE FROM control.later")).rowCount).toBe(2);
    await grantToGroups(users.owner);
    await expect(app.query("UPDATE public.audit_log SET actor = 'x'")).rejects.toThrow();
    await users.owner.query("DROP TABLE control.later");
  });
});

describe("what doctor says of it", () => {
  const rights = async (db: Database) => {
    const parts = { db, files: await readMigrationFiles(), clock: systemClock, isShared: true };
    const chosen = databaseExaminations(parts).filter(({ what }) => what === "rights");
    return (await diagnose(chosen))[0];
  };

  test("it works on the tables and owns none; the owner is called one; what is missing is named", async () => {
    expect(await rights(app)).toMatchObject({
      status: "ok",
      found: expect.stringContaining("owns none"),
    });
    expect((await rights(users.owner))?.found).toMatch(/owns the tables$/);
    await users.owner.query(`REVOKE MAINTAIN ON public.jobs FROM ${users.group}`);
    expect(await rights(app)).toMatchObject({
      status: "warn",
      found: expect.stringContaining("goes without: MAINTAIN"),
    });
    await users.owner.query(`REVOKE UPDATE ON public.scores FROM ${users.group} CASCADE`);
    expect(await rights(app)).toMatchObject({
      status: "fail",
      found: expect.stringContaining("public.scores"),
      remedy: expect.stringContaining("algobrain db users"),
    });
    await grantToGroups(users.owner);
    expect((await rights(app))?.status).toBe("ok");
  });
});

describe("the roles of its runs", () => {
  test("hold every capability, whole or reading, and are gone with the run", async () => {
    for (const extent of ["whole", "reading"] as const) {
      const { rows } = await app.query<{ seq: number }>(
        `INSERT INTO control.run (runbook, actor, role, door, content_hash, status, fence, started_at)
         VALUES ('made-up', 'ann', 'operator', 'cli', 'hash', 'running', 1, now()) RETURNING seq`,
      );
      const { seq } = rows[0]!;
      const request = { seq, fence: 1, capabilities: CAPABILITIES, extent, lifeMs: 60_000 };
      const role = await createRunRole(app, request);
      const run = openDatabase({
        ...{ url: users.urlOf(role!.name, role!.password), poolMax: 1, ssl: false },
        applicationName: "algobrain-run",
      });
      await run.query("SELECT count(*) FROM public.jobs").finally(() => run.close());
      await actAsRunRole(app, role!.name, (tx) => tx.query("SELECT count(*) FROM control.sample"));
      await expect(
        actAsRunRole(app, role!.name, (tx) => tx.query("DELETE FROM public.audit_log")),
      ).rejects.toMatchObject({ details: { sqlstate: "42501" } });
      await app.query("UPDATE control.run SET status = 'failed' WHERE seq = $1", [seq]);
      await sweepRunRoles(app);
      const { rows: left } = await app.query("SELECT FROM pg_roles WHERE rolname = $1", [
        role!.name,
      ]);
      expect(left).toEqual([]);
    }
    // A backup by a run reads the days that were made after its role was.
    await users.owner.query("SELECT control.add_sample_day(now(), 20)");
    const { rows } = await users.admin.query(
      `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, pg_roles r
       WHERE i.inhparent = 'control.sample'::regclass AND r.rolname ~ ('^algobrain_' || (SELECT oid FROM pg_database
         WHERE datname = current_database()) || '_cap_database_dump_') AND NOT has_table_privilege(r.oid, c.oid, 'SELECT')`,
    );
    expect(rows).toEqual([]);
  });
});

describe("algobrain db users", () => {
  test("run again changes nothing, and a dry run says the same and does nothing", async () => {
    const { group, owner, admin } = users;
    const request = { group, login: null, dryRun: false };
    const first = await makeApplicationUsers(owner, request);
    const acl = () =>
      admin.query("SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL ORDER BY 1");
    const before = (await acl()).rows;
    expect((await makeApplicationUsers(owner, request)).statements).toEqual(first.statements);
    expect((await acl()).rows).toEqual(before);
    expect(first.users).toEqual([
      { name: `${group}_a`, mayLogIn: true },
      { name: `${group}_b`, mayLogIn: false },
    ]);
    const dry = await makeApplicationUsers(owner, {
      ...request,
      group: `${group}_x`,
      dryRun: true,
    });
    expect(dry.statements).toContain(`CREATE ROLE ${group}_x NOLOGIN`);
    const { rows } = await admin.query("SELECT FROM pg_roles WHERE rolname = $1", [`${group}_x`]);
    expect(rows).toEqual([]);
  });

  test.each([
    ["the services' own user", () => users.application, {}, "does not own the tables"],
    ["a name that is SQL", () => users.owner, { group: 'x"; DROP TABLE y' }, "expected a letter"],
    [
      "a short password",
      () => users.owner,
      { login: { user: "a", password: new SecretText("short") } },
      "expected 16 to 200",
    ],
  ] as const)("refuses %s", async (_what, db, more, words) => {
    const request = { group: users.group, login: null, dryRun: false, ...more };
    await expect(makeApplicationUsers(db(), request)).rejects.toMatchObject({
      code: "DATABASE_USERS_REFUSED",
      message: expect.stringContaining(words),
    });
  });

  test("takes a password from its standard input, and shows it nowhere", async () => {
    const password = "typed-by-a-person-0123456789";
    const bin = fileURLToPath(new URL("../../bin/algobrain.js", import.meta.url));
    const args = ["db", "users", "--group", users.group, "--password-stdin", "b", "--json"];
    const env = { PATH: process.env.PATH ?? "", DATABASE_URL: users.ownerUrl };
    const child = spawn(process.execPath, [bin, ...args], { env, stdio: "pipe" });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => said.push(text));
    child.stdin.end(`${password}\n`);
    const [code] = await once(child, "close");
    expect({ code, said: said.join("") }).toMatchObject({ code: 0 });
    expect(said.join("")).not.toContain(password);
    expect(said.join("")).not.toContain("SCRAM-SHA-256$");
    const b = openDatabase({
      ...{ url: users.urlOf(`${users.group}_b`, password), poolMax: 1, ssl: false },
      applicationName: "test",
    });
    const { rows } = await b.query("SELECT current_user AS user").finally(() => b.close());
    expect(rows).toEqual([{ user: `${users.group}_b` }]);
  });
});
