/** The runbooks of the database server, each with the power it declares, beside sessions that stand for the programs. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { Run } from "../../src/runbook/run.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { createDatabaseReader, createDatabaseWriter } from "../../src/store/database-care.js";
import { listPauses } from "../../src/store/pauses.js";
import {
  crashEverywhere,
  expectedShell,
  type Given,
  openGround,
  type Rehearsed,
  type RunbookGround,
  rehearse,
  takeBack,
} from "../support/runbook.js";
import { makeShell } from "../support/runbook-world.js";
import { until } from "../support/until.js";

let ground: RunbookGround;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-backups-"));
  ground = await openGround(await loadRunbooks(), { backupsDir: join(folder, "backups") });
});
afterAll(async () => {
  await ground.drop();
  await rm(folder, { recursive: true, force: true });
});

/** A machine whose programs say nothing, so that backups are files of tables. */
const MACHINE = { shell: makeShell() };

const run = (runbook: string, given: Given = {}): Promise<Rehearsed> =>
  rehearse(ground, runbook, { ...MACHINE, ...given });

interface Program {
  readonly pid: number;
  /** Null: its session has ended, whoever ended it. */
  isThere(): Promise<boolean>;
  close(): Promise<void>;
}

/** A program with one session, which does nothing but what it is told first, and stays. */
async function startProgram(name: string, first = "SELECT 1"): Promise<Program> {
  const db = openDatabase({
    ...{ url: ground.url, poolMax: 1, applicationName: name, ssl: false, statementTimeoutMs: 0 },
    onIdleError: () => {},
  });
  let close = () => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  let session: Promise<unknown> = Promise.resolve();
  const pid = await new Promise<number>((resolve) => {
    session = db.connect(async (sql) => {
      const { rows } = await sql.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      resolve(rows[0]!.pid);
      await sql.query(first).catch(() => {});
      await closed;
    });
  });
  await until(() => hasBegun(ground.db, pid, first), `${name} has begun`);
  return {
    pid,
    isThere: async () => (await stateOf(ground.db, pid)) !== null,
    close: async () => {
      await ground.db.query("SELECT pg_cancel_backend($1)", [pid]);
      close();
      await session;
      await db.close();
    },
  };
}

async function withPrograms<T>(
  programs: readonly (readonly [name: string, first?: string])[],
  work: (programs: readonly Program[]) => Promise<T>,
): Promise<T> {
  const started = await Promise.all(programs.map(([name, first]) => startProgram(name, first)));
  try {
    return await work(started);
  } finally {
    await Promise.all(started.map((program) => program.close()));
  }
}

async function stateOf(db: Database, pid: number) {
  const { rows } = await db.query<{ state: string; query: string }>(
    "SELECT state, query FROM pg_stat_activity WHERE pid = $1 AND datname = current_database()",
    [pid],
  );
  return rows[0] ?? null;
}

async function hasBegun(db: Database, pid: number, statement: string): Promise<boolean> {
  return (await stateOf(db, pid))?.query === statement;
}

const SLEEP = "SELECT pg_sleep(600)";
const WAITS_IDLE = "1ms";

describe("diagnose-db-connections", () => {
  test("tells who holds connections, what runs longest, and what to do", async () => {
    await withPrograms([["algobrain-worker", SLEEP], ["psql"]], async ([slow]) => {
      const { run: ended, changed } = await run("diagnose-db-connections");
      expect(ended).toMatchObject({ status: "succeeded" });
      const { text, table } = ended.output!;
      expect(text).toMatch(
        /^\d+ of \d+ connections are used \(\d+ %\), \d+ of them by us; our pools/,
      );
      expect(text).toContain(`pid ${slow!.pid} of algobrain-worker: active for`);
      expect(text.split("\n").at(-1)).toBe("nothing here needs to be ended");
      expect(table?.rows).toContainEqual(["algobrain-worker", "active", "1"]);
      expect(table?.rows).toContainEqual(["psql", "idle", "1"]);
      expect(changed).toEqual([]);
    });
  });
});

describe("kill-slow-query", () => {
  test("without a pid lists what is slow, and ends nothing", async () => {
    await withPrograms([["algobrain-worker", SLEEP]], async ([slow]) => {
      const { run: ended } = await run("kill-slow-query", { params: { over: "1ms" } });
      expect(ended).toMatchObject({ status: "succeeded", plan: { changes: [] } });
      expect(ended.output?.table?.rows.map(([pid]) => pid)).toContain(String(slow!.pid));
      expect((await stateOf(ground.db, slow!.pid))?.state).toBe("active");
    });
  });

  test("cancels that statement and leaves its session", async () => {
    await withPrograms([["algobrain-worker", SLEEP]], async ([slow]) => {
      const params = { pid: slow!.pid, over: "1ms" };
      const dry = await run("kill-slow-query", { params, dryRun: true });
      expect(dry.run.output?.text).toContain(`would cancel the statement of pid ${slow!.pid}`);
      expect((await stateOf(ground.db, slow!.pid))?.state).toBe("active");
      const { run: ended } = await run("kill-slow-query", { params });
      expect(ended).toMatchObject({
        status: "succeeded",
        outcome: `the statement of pid ${slow!.pid} is gone`,
      });
      expect(await stateOf(ground.db, slow!.pid)).toMatchObject({ state: "idle" });
    });
  });

  test.each([
    ["of another program", "psql"],
    ["of a run of a runbook", "algobrain-run-17"],
    ["of a backup", "algobrain-backup"],
  ])("never ends a statement %s", async (_what, name) => {
    await withPrograms([[name, SLEEP]], async ([other]) => {
      const { run: ended } = await run("kill-slow-query", {
        params: { pid: other!.pid, over: "1ms" },
      });
      expect(ended.status).toBe("failed");
      expect((await stateOf(ground.db, other!.pid))?.state).toBe("active");
    });
  });

  test("comes to the same wherever its executor dies", async () => {
    const open: Program[] = [];
    const points = await crashEverywhere(ground, "kill-slow-query", async () => {
      const slow = await startProgram("algobrain-worker", SLEEP);
      open.push(slow);
      return {
        params: { pid: slow.pid, over: "1ms" },
        effects: async () => ((await stateOf(ground.db, slow.pid))?.state === "idle" ? 1 : 0),
      };
    });
    await Promise.all(open.map((program) => program.close()));
    expect(points.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
  });
});

describe("kill-idle-connections", () => {
  test("ends ours that do nothing, and no other", async () => {
    await withPrograms(
      [["algobrain-api"], ["algobrain-listener"], ["psql"], ["algobrain-worker", SLEEP]],
      async ([idle, ...others]) => {
        const params = { idle: WAITS_IDLE };
        const dry = await run("kill-idle-connections", { params, dryRun: true });
        expect(dry.run.output?.text).toMatch(/^1 sessions of ours are idle for over 1ms/);
        expect(await idle!.isThere()).toBe(true);
        const { run: ended } = await run("kill-idle-connections", { params });
        expect(ended).toMatchObject({
          status: "succeeded",
          output: { text: "1 idle sessions were ended" },
        });
        expect(await idle!.isThere()).toBe(false);
        expect(await Promise.all(others.map((it) => it.isThere()))).toEqual([true, true, true]);
      },
    );
  });

  test("says that there is none", async () => {
    const { run: ended, changed } = await run("kill-idle-connections", { params: { idle: "1h" } });
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining("no session of ours is idle for over 1h"),
    });
    expect(changed).toEqual([]);
  });

  test("comes to the same wherever its executor dies", async () => {
    const open: Program[] = [];
    const points = await crashEverywhere(ground, "kill-idle-connections", async () => {
      const idle = await startProgram("algobrain-api");
      open.push(idle);
      return {
        params: { idle: WAITS_IDLE },
        effects: async () => ((await idle.isThere()) ? 0 : 1),
      };
    });
    await Promise.all(open.map((program) => program.close()));
    expect(points.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
  });
});

describe("relieve-db-pool", () => {
  const paused = async () => (await listPauses(ground.db)).map(({ kind }) => kind).sort();
  const params = { idle: WAITS_IDLE };

  test("ends what is idle, pauses what can wait, and gives the pauses back", async () => {
    await withPrograms([["algobrain-api"], ["psql"]], async ([idle, other]) => {
      const dry = await run("relieve-db-pool", { params, dryRun: true });
      expect(dry.run.output?.text).toContain("would pause export for 15 minutes");
      expect(dry.changed).toEqual([]);
      const { run: ended, changed } = await run("relieve-db-pool", { params });
      expect(ended).toMatchObject({ status: "succeeded", verified: true });
      expect(ended.output?.text).toContain("end idle sessions: 1 of 1 sessions were ended");
      expect(changed).toEqual(["control.queue_pause"]);
      expect([await idle!.isThere(), await other!.isThere()]).toEqual([false, true]);
      expect(await paused()).toEqual(["backfill", "export", "maintenance"]);
      const { run: undo } = await takeBack(ground, ended);
      expect(undo).toMatchObject({ status: "succeeded" });
      expect(undo.plan?.text).toContain("a session that was ended is opened again");
      expect(await paused()).toEqual([]);
    });
  });

  test("with lower=false pauses nothing", async () => {
    const { run: ended, changed } = await run("relieve-db-pool", {
      params: { ...params, lower: false },
    });
    expect(ended.status).toBe("succeeded");
    expect(changed).toEqual([]);
  });

  test("comes to the same wherever its executor dies", async () => {
    const points = await crashEverywhere(ground, "relieve-db-pool", async () => {
      await ground.db.query("DELETE FROM control.queue_pause");
      return {
        params,
        steps: ["end idle sessions", "let work that can wait do so"],
        effects: async () => (await paused()).length / 3,
      };
    });
    expect(points.map(({ ended }) => ended)).toEqual(Array(6).fill("succeeded"));
  });
});

const backupsIn = async () => (await readdir(join(folder, "backups")).catch(() => [])).sort();

async function backUp(params: JsonObject = {}): Promise<{ id: string; run: Run }> {
  const { run: made } = await run("backup-database", { params });
  expect(made).toMatchObject({ status: "succeeded", verified: true });
  const id = (await backupsIn()).find((name) => name.endsWith(`-${made.id}`));
  return { id: id!, run: made };
}

describe("backup-database", () => {
  test("backs up everything, reads it back, and is taken back alone", async () => {
    const dry = await run("backup-database", { dryRun: true });
    expect(dry.run.output?.text).toMatch(
      /the database takes \d+ MiB; .*\nwould back up everything$/,
    );
    expect(await backupsIn()).toEqual([]);
    const [first, second] = [await backUp(), await backUp()];
    expect(first.run.outcome).toMatch(/-run-\d+ fits its checksums, \d+ rows of \d+ tables$/);
    expect(second.run.output?.text).toContain(
      "was made by tables; to restore it: algobrain db restore",
    );
    const { run: undo } = await takeBack(ground, second.run);
    expect(undo).toMatchObject({ status: "succeeded" });
    expect(await backupsIn()).toEqual([first.id]);
  });

  test("backs up one table, and says so when there is none of that name", async () => {
    const { id } = await backUp({ mode: "table", table: "public.jobs" });
    const manifest = JSON.parse(
      await readFile(join(folder, "backups", id, "manifest.json"), "utf8"),
    );
    expect(manifest.tables.map(({ name }: { name: string }) => name)).toEqual(["jobs"]);
    for (const [params, words] of [
      [{ mode: "table", table: "public.jibs" }, /there is no table public.jibs/],
      [{ mode: "table" }, /mode=table and a table go together/],
      [{ mode: "schema" }, /not backed up without pg_dump/],
    ] as const) {
      const before = await backupsIn();
      const { run: ended } = await run("backup-database", { params });
      expect(ended).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
      expect(await backupsIn()).toEqual(before);
    }
  });

  test("is not made where there is no room for it", async () => {
    const none = { ...ground, care: { ...ground.care, backupsDir: "/proc/self/backups" } };
    const { run: ended } = await rehearse(none, "backup-database", MACHINE);
    expect(ended).toMatchObject({ status: "failed" });
    expect(ended.outcome).toMatch(/has 0 MiB left, and the database takes/);
  });

  test("has failed when it cannot be read back as it was written", async () => {
    const { id } = await backUp({ mode: "table", table: "public.jobs" });
    await writeFile(join(folder, "backups", id, "public.jobs.ndjson"), "{}");
    const { run: ended } = await run("restore-database", { params: { backup: id } });
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining("public.jobs.ndjson is not as it was written"),
    });
    await rm(join(folder, "backups", id), { recursive: true });
  });

  test("makes one, wherever its executor dies", async () => {
    const points = await crashEverywhere(ground, "backup-database", async () => {
      const before = (await backupsIn()).length;
      return {
        ...{ ...MACHINE, params: { mode: "table", table: "public.workers" } },
        effects: async () => (await backupsIn()).length - before,
      };
    });
    expect(points.map(({ ended }) => ended)).toEqual(Array(4).fill("succeeded"));
  });
});

describe("restore-database", () => {
  /** By runs: what restore tests of others make on this server at the same time is called otherwise. */
  const restored = async () =>
    (
      await ground.db.query<{ name: string }>(
        "SELECT datname AS name FROM pg_database WHERE datname LIKE 'algobrain_restore_run_%'",
      )
    ).rows.map(({ name }) => name);

  test("without a backup lists them, and changes nothing", async () => {
    const { id } = await backUp();
    const { run: ended, changed } = await run("restore-database");
    expect(ended).toMatchObject({ status: "succeeded", outcome: "listed, nothing was restored" });
    expect(ended.output?.table?.rows.map(([backup]) => backup)).toContain(id);
    expect([changed, await restored()]).toEqual([[], []]);
  });

  test("fills a new database, compares it with ours, and drops it when taken back", async () => {
    await ground.db.query("INSERT INTO repos (id, name) VALUES ('r1', 'kept')");
    const { id } = await backUp();
    await ground.db.query("INSERT INTO repos (id, name) VALUES ('r2', 'later')");
    const params = { backup: id };
    const dry = await run("restore-database", { params, dryRun: true });
    expect(dry.run.output?.text).toContain("would make a new database and fill it from the backup");
    const { run: ended, changed } = await run("restore-database", { params });
    expect(ended.outcome).toMatch(
      /^algobrain_restore_run_\d+ has \d+ rows in the tables that matter, and nothing in it/,
    );
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const [database] = await restored();
    expect(database).toBe(`algobrain_restore_${ended.id.replace("-", "_")}`);
    expect(ended.output?.table?.rows).toContainEqual(["public.repos", "2", "1"]);
    expect(ended.output?.text).toContain(
      `set DATABASE_URL to the same server with the database ${database}`,
    );
    expect(changed).toEqual([]);
    const { run: undo } = await takeBack(ground, ended);
    expect(undo).toMatchObject({ status: "succeeded" });
    expect(await restored()).toEqual([]);
  });

  test.each([
    ["that is not there", "algobrain-test-20260101T000000Z", /there is no finished backup/],
    ["that would leave the folder", "..", /there is no finished backup \.\./],
  ])("refuses a backup %s", async (_what, backup, words) => {
    const { run: ended } = await run("restore-database", { params: { backup } });
    expect(ended).toMatchObject({ status: "failed", outcome: expect.stringMatching(words) });
    expect(await restored()).toEqual([]);
  });

  test("makes one database, wherever its executor dies", async () => {
    const { id } = await backUp({ mode: "table", table: "public.workers" });
    const points = await crashEverywhere(ground, "restore-database", async () => {
      for (const name of await restored()) await ground.db.query(`DROP DATABASE ${name}`);
      return {
        params: { backup: id },
        steps: ["restore into a new database"],
        effects: async () => (await restored()).length,
      };
    });
    for (const name of await restored()) await ground.db.query(`DROP DATABASE ${name}`);
    expect(points.map(({ ended }) => ended)).toEqual(Array(3).fill("succeeded"));
  });

  test("gives a file of pg_dump to pg_restore, without rights and with no password among its arguments", async () => {
    const id = "algobrain-test-20260101T000000Z.dump";
    await mkdir(join(folder, "backups"), { recursive: true });
    const path = join(folder, "backups", id);
    await writeFile(path, "dump");
    await writeFile(
      `${path}.sha256`,
      `${createHash("sha256").update("dump").digest("hex")}  ${id}\n`,
    );
    const database = "algobrain_restore_by_hand";
    const argv = [
      "pg_restore",
      "--exit-on-error",
      "--no-acl",
      "--no-owner",
      `--dbname=${database}`,
      path,
    ];
    const shell = expectedShell([{ argv }, { argv, exitCode: 1 }]);
    const options = {
      ...{ backupsDir: join(folder, "backups"), directUrl: ground.url, ssl: false, shell },
      ...{ environment: "test", poolSize: () => 10, now: () => systemClock.now() },
    };
    const writer = createDatabaseWriter(ground.db, options);
    const request = { backup: id, database, signal: new AbortController().signal };
    await writer.restoreInto(request);
    expect(await createDatabaseReader(ground.db, options).restored()).toEqual([
      { database, backup: id, isComplete: true },
    ]);
    await expect(writer.restoreInto(request)).rejects.toMatchObject({ code: "RESTORE_REFUSED" });
    expect(await writer.dropRestored(database)).toBe(true);
    await expect(writer.restoreInto(request)).rejects.toMatchObject({ code: "RESTORE_FAILED" });
    expect([await restored(), shell.unmet()]).toEqual([[], []]);
    await expect(writer.dropRestored("postgres")).rejects.toMatchObject({
      code: "RESTORE_REFUSED",
    });
    await rm(path);
  });
});
