/** A backup by the real pg_dump, and what the real pg_restore makes of it, between databases of a server of their own. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createShell } from "../../src/adapter/shell.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { Programs } from "../../src/runbook/port.js";
import { processKey } from "../../src/runtime/process-key.js";
import { verifyAudit } from "../../src/store/audit.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { createDatabaseWriter } from "../../src/store/database-care.js";
import { retryJob } from "../../src/store/job-actions.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { migrate } from "../../src/store/migrate.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import {
  NEEDS_POSTGRES_PROGRAMS,
  type OwnServer,
  postgresPrograms,
  startOwnServer,
} from "../support/postgres-programs.js";
import { type Given, type RunbookGround, rehearse, takeBack } from "../support/runbook.js";

describe.skipIf(postgresPrograms === null)(`${NEEDS_POSTGRES_PROGRAMS} restore-database`, () => {
  let server: OwnServer;
  let ground: RunbookGround;
  let backupsDir: string;
  let given: Given;
  beforeAll(async () => {
    server = await startOwnServer();
    const db = open(server.url);
    await migrate(db, await readMigrationFiles());
    backupsDir = await mkdtemp(join(tmpdir(), "algobrain-dumps-"));
    ground = {
      ...{ db, url: server.url, registry: await loadRunbooks() },
      care: { directUrl: server.url, backupsDir },
      drop: () => db.close(),
    };
    const path = `${postgresPrograms?.binFolder}:/usr/bin:/bin`;
    given = { shell: createShell({ redact: (text) => text, keyOf: processKey, path }) };
    await fill(db);
  });
  afterAll(async () => {
    await ground.drop();
    await server.stop();
    await rm(backupsDir, { recursive: true, force: true });
  });

  const open = (url: string) =>
    openDatabase({ url, poolMax: 8, applicationName: "test", ssl: false });

  async function fill(db: Database): Promise<void> {
    const { seq } = await enqueueJob(db, { kind: "index", payload: { text: 'naïve "quotes"\n' } });
    await db.query("UPDATE jobs SET status = 'failed', error = 'boom'");
    await retryJob(db, { seq, actor: "cli:ann" });
    await db.query("INSERT INTO repos (id, name) VALUES ('r1', 'kept')");
    await db.query(
      `INSERT INTO events (event_type, payload, occurred_at)
       SELECT 'push', jsonb_build_object('n', n), '2026-01-01T00:00:00.123456Z' FROM generate_series(1, 1200) n`,
    );
    await db.query("INSERT INTO scores (repo_id, score) VALUES ('r1', 87.65)");
  }

  const run = (runbook: string, more: Given = {}) =>
    rehearse(ground, runbook, { ...given, ...more });
  const restore = (backup: string) => run("restore-database", { params: { backup } });

  async function backUp(): Promise<string> {
    const { run: made, steps } = await run("backup-database");
    expect(made).toMatchObject({ status: "succeeded", verified: true });
    expect(made.output?.text).toContain("was made by pg_dump");
    // The command is on record, and its password nowhere.
    const { output } = steps.find(({ phase }) => phase === "act")!;
    expect(output).toContain("$ pg_dump --format=custom --no-password");
    expect(output).not.toContain(new URL(server.url).password);
    return (await readdir(backupsDir)).find((name) => name.endsWith(`-${made.id}.dump`))!;
  }

  const restored = async () =>
    (
      await ground.db.query<{ name: string }>(
        "SELECT datname AS name FROM pg_database WHERE datname LIKE 'algobrain_restore_%'",
      )
    ).rows.map(({ name }) => name);

  async function onDatabase<T>(name: string, work: (db: Database) => Promise<T>): Promise<T> {
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    const db = open(url.toString());
    try {
      return await work(db);
    } finally {
      await db.close();
    }
  }

  const contents = async (db: Database) => ({
    jobs: (await db.query("SELECT * FROM public.jobs WHERE job_type <> 'runbook'")).rows,
    events: (await db.query("SELECT *, occurred_at::text AS exact FROM public.events ORDER BY id"))
      .rows,
    scores: (await db.query("SELECT *, score::text AS exact FROM public.scores")).rows,
    migrations: (await db.query("SELECT * FROM public.migrations ORDER BY id")).rows,
  });

  test("puts a filled database into a new one, row for row, compares the two, and can be taken back", async () => {
    const backup = await backUp();
    await ground.db.query("INSERT INTO public.repos (id, name) VALUES ('r2', 'later')");
    const before = await contents(ground.db);
    const { run: ended, changed } = await restore(backup);
    expect(ended.outcome).toMatch(
      /^algobrain_restore_run_\d+ has \d+ rows in the tables that matter, and nothing in it is broken$/,
    );
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    const [name] = await restored();
    expect(ended.output?.table?.rows).toContainEqual(["public.repos", "2", "1"]);
    expect(ended.output?.text).toContain(`the same server with the database ${name}`);
    // Switching is for people: nothing of ours is another than before.
    expect(changed).toEqual([]);
    await onDatabase(name!, async (db) => {
      expect(await contents(db)).toEqual(before);
      expect(await verifyAudit(db)).toMatchObject({ ok: true });
      // Who is switched to it brings it up as any other, and goes on where the numbers were.
      await migrate(db, await readMigrationFiles());
      const { seq } = await enqueueJob(db, { kind: "index", payload: {} });
      expect(seq).toBeGreaterThan(1);
      expect(await verifyAudit(db)).toMatchObject({ ok: true });
    });
    const { run: undo } = await takeBack(ground, ended, given);
    expect(undo).toMatchObject({ status: "succeeded" });
    expect(await restored()).toEqual([]);
  });

  test("calls failed what holds data that cannot be true, and takes the new database away only when asked to", async () => {
    await ground.db.query("INSERT INTO public.scores (repo_id, score) VALUES ('bad', 101)");
    const { run: ended } = await restore(await backUp());
    await ground.db.query("DELETE FROM public.scores WHERE repo_id = 'bad'");
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringMatching(/^data that cannot be true: .*score-is-0-to-100: 1/),
    });
    expect(await restored()).toHaveLength(1);
    const { run: undo } = await takeBack(ground, ended, given);
    expect(undo).toMatchObject({ status: "succeeded" });
    expect(await restored()).toEqual([]);
  });

  test("refuses one of which a single byte is another, and makes no database", async () => {
    const backup = await backUp();
    const path = join(backupsDir, backup);
    const bytes = await readFile(path);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = bytes[at]! ^ 1;
    await writeFile(path, bytes);
    const { run: ended } = await restore(backup);
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining(`${backup} does not fit its SHA-256`),
    });
    expect(await restored()).toEqual([]);
  });

  test("takes a half of a database away although a session is at work in it, as of a pg_restore that was killed, and never a whole one", async () => {
    const backup = await backUp();
    const name = "algobrain_restore_by_hand";
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    const options = {
      ...{ backupsDir, directUrl: server.url, ssl: false, environment: "test" },
      ...{ poolSize: () => 10, now: () => new Date(), shell: given.shell! },
    };
    const ended = { exitCode: 1, signal: null, endedBy: "abort", stderr: "", stdout: "" } as const;
    let left: Promise<unknown> = Promise.resolve();
    const killed: Programs = {
      run: async () => {
        const db = open(url.toString());
        await db.query("SELECT 1");
        left = db.query("SELECT pg_sleep(300)").catch(() => db.close());
        return { ...ended, droppedBytes: 0, durationMs: 1 };
      },
    };
    const request = { backup, database: name, signal: new AbortController().signal };
    const broken = createDatabaseWriter(ground.db, { ...options, shell: killed });
    await expect(broken.restoreInto(request)).rejects.toMatchObject({ code: "RESTORE_FAILED" });
    await left;
    expect(await restored()).toEqual([]);
    const writer = createDatabaseWriter(ground.db, options);
    await writer.restoreInto(request);
    await onDatabase(name, async (db) => {
      await db.query("SELECT 1");
      expect(await writer.dropRestored(name)).toBe(false);
    });
    expect(await writer.dropRestored(name)).toBe(true);
  });

  test("leaves no half of a database when pg_restore fails on the way", async () => {
    const backup = await backUp();
    const path = join(backupsDir, backup);
    await truncate(path, Math.floor((await stat(path)).size / 2));
    // As if it had been written so: its checksum fits, and only pg_restore can tell.
    const digest = createHash("sha256").update(await readFile(path));
    await writeFile(`${path}.sha256`, `${digest.digest("hex")}  ${backup}\n`);
    const { run: ended } = await restore(backup);
    expect(ended).toMatchObject({
      status: "failed",
      outcome: expect.stringMatching(/pg_restore ended by exit with 1: .+/),
    });
    expect(await restored()).toEqual([]);
  });
});
