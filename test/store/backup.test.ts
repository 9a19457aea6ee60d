import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createShell } from "../../src/adapter/shell.js";
import { verifyAudit } from "../../src/store/audit.js";
import { type BackupRequest, backupDatabase } from "../../src/store/backup.js";
import type { Database } from "../../src/store/database.js";
import { retryJob } from "../../src/store/job-actions.js";
import { listJobs } from "../../src/store/job-list.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import { dumpTables } from "../../src/store/table-dump.js";
import { restoreTables } from "../../src/store/table-restore.js";
import { createEmptyDatabase, withDatabase } from "../support/database.js";

const NOW = new Date("2026-01-28T03:04:05.678Z");
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-backup-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fill(db: Database): Promise<void> {
  const { seq } = await enqueueJob(db, { kind: "index", payload: { text: 'naïve "quotes"\n' } });
  await db.query("UPDATE jobs SET status = 'failed', error = 'boom'");
  await retryJob(db, { seq, actor: "cli:ann" });
  await db.query(
    `INSERT INTO events (event_type, payload, occurred_at)
     SELECT 'push', jsonb_build_object('n', n), '2026-01-01T00:00:00.123456Z' FROM generate_series(1, 1200) n`,
  );
  await db.query("INSERT INTO workers (id, kinds) VALUES ('index-worker-9', '{index,score}')");
  // One refers to the other, and comes before it in the alphabet.
  await db.query(
    `WITH run AS (INSERT INTO control.run (runbook, actor, role, door, content_hash)
       VALUES ('look', 'ann', 'operator', 'cli', 'hash') RETURNING seq)
     INSERT INTO control.approval_request (run_seq, bound_hash, nonce, needed, approvers, requester, expires_at)
     SELECT seq, 'hash', 'nonce', 1, '{}', 'ann', now() FROM run`,
  );
  await db.query("INSERT INTO scores (repo_id, score) VALUES ('r1', 12345678901234567890.5)");
}

async function onEmptyDatabase(work: (db: Database) => Promise<void>): Promise<void> {
  const { db, drop } = await createEmptyDatabase();
  try {
    await work(db);
  } finally {
    await drop();
  }
}

const contents = async (db: Database) => ({
  jobs: await listJobs(db, { limit: 10 }),
  events: (await db.query("SELECT *, occurred_at::text AS exact FROM events ORDER BY id")).rows,
  workers: (await db.query("SELECT * FROM workers")).rows,
  asked: (await db.query("SELECT * FROM control.approval_request")).rows,
  scores: (await db.query("SELECT *, score::text AS exact FROM scores")).rows,
  audit: (await db.query("SELECT *, hash::text AS exact FROM audit_log ORDER BY seq")).rows,
  migrations: (await db.query("SELECT * FROM migrations ORDER BY id")).rows,
});

describe("a backup as tables", () => {
  test("restores into an empty database, row for row, and the numbers go on", () =>
    withDatabase(async (db) => {
      await fill(db);
      const dump = join(folder, "dump");
      const manifest = await dumpTables(db, dump, NOW);
      expect(manifest.tables.find(({ name }) => name === "events")).toMatchObject({ rows: 1200 });
      expect((await stat(dump)).mode & 0o077).toBe(0);
      await onEmptyDatabase(async (other) => {
        await restoreTables(other, dump, await readMigrationFiles());
        expect(await contents(other)).toEqual(await contents(db));
        expect(await verifyAudit(other)).toEqual({ ok: true, entries: 2, brokenAt: null });
        const next = await enqueueJob(other, { kind: "index", payload: {} });
        expect(next.seq).toBe((await enqueueJob(db, { kind: "index", payload: {} })).seq);
        await other.query("UPDATE jobs SET status = 'cancelled'");
        expect(await verifyAudit(other)).toMatchObject({ ok: true, entries: 4 });
      });
    }));

  test("that was changed since is refused before the database is touched", () =>
    withDatabase(async (db) => {
      await fill(db);
      const dump = join(folder, "dump");
      await dumpTables(db, dump, NOW);
      const file = join(dump, "public.jobs.ndjson");
      await writeFile(file, (await readFile(file, "utf8")).replace("naïve", "evil"));
      await onEmptyDatabase(async (other) => {
        const files = await readMigrationFiles();
        await expect(restoreTables(other, dump, files)).rejects.toMatchObject({
          ...{ code: "RESTORE_REFUSED", message: expect.stringContaining("public.jobs.ndjson") },
        });
        const { rows } = await other.query("SELECT to_regclass('jobs') AS jobs");
        expect(rows).toEqual([{ jobs: null }]);
      });
    }));

  test("is refused by a database that is not empty, and by a program that lacks its migrations", () =>
    withDatabase(async (db) => {
      const dump = join(folder, "dump");
      await dumpTables(db, dump, NOW);
      const files = await readMigrationFiles();
      await expect(restoreTables(db, dump, files)).rejects.toMatchObject({
        message: expect.stringContaining("the database is not empty"),
      });
      const older = { ...files, control: files.control.slice(0, -1) };
      await expect(restoreTables(db, dump, older)).rejects.toMatchObject({
        message: expect.stringContaining(files.control.at(-1)!.name),
      });
      await expect(restoreTables(db, folder, files)).rejects.toMatchObject({
        message: expect.stringContaining("cannot read"),
      });
    }));
});

/** A program of the name pg_dump in a folder of its own, that notes how it was called. */
async function requestWith(
  db: Database,
  url: string,
  script: string,
): Promise<BackupRequest & { notes: string }> {
  const notes = join(folder, "notes");
  await writeFile(join(folder, "pg_dump"), `#!/bin/sh\n${script.replaceAll("NOTES", notes)}\n`);
  await chmod(join(folder, "pg_dump"), 0o755);
  const shell = createShell({ redact: (text) => text, path: `${folder}:/usr/bin:/bin` });
  const { signal } = new AbortController();
  return {
    ...{ db, url, ssl: false, shell, folder: join(folder, "backups"), now: NOW, signal, notes },
    environment: "production",
  };
}

const VERSION = (version: string) =>
  `[ "$1" = --version ] && echo "pg_dump (PostgreSQL) ${version}" && exit 0`;

describe("the backup command", () => {
  test("takes a pg_dump that is new enough, without the password among its arguments", () =>
    withDatabase(async (db, url) => {
      const secret = new URL(url);
      secret.password = "p%40ss/word";
      const request = await requestWith(
        db,
        secret.toString(),
        `${VERSION("99.1")}
echo "$@" > NOTES; echo "$PGPASSWORD $PGDATABASE" >> NOTES
for argument in "$@"; do case "$argument" in --file=*) echo dump > "\${argument#--file=}";; esac; done`,
      );
      const backup = await backupDatabase(request);
      expect(backup).toMatchObject({
        method: "pg_dump",
        path: join(folder, "backups", "algobrain-production-20260128T030405Z.dump"),
      });
      const [argv, environment] = (await readFile(request.notes, "utf8")).split("\n");
      expect(argv).not.toContain("p@ss");
      expect(environment).toBe(`p@ss/word ${new URL(url).pathname.slice(1)}`);
      expect(await readFile(`${backup.path}.sha256`, "utf8")).toMatch(
        /^[0-9a-f]{64} {2}algobrain-production-20260128T030405Z.dump\n$/,
      );
    }));

  test.each([
    ["one older than the server", VERSION("9.6.24")],
    ["one that cannot say its version", "exit 127"],
  ])("passes over %s, and writes tables", (_what, script) =>
    withDatabase(async (db, url) => {
      const backup = await backupDatabase(await requestWith(db, url, script));
      expect(backup).toMatchObject({
        method: "tables",
        path: join(folder, "backups", "algobrain-production-20260128T030405Z"),
      });
      expect((await stat(join(backup.path, "manifest.json"))).isFile()).toBe(true);
    }),
  );

  test("says so when pg_dump fails, and leaves no half of a backup", () =>
    withDatabase(async (db, url) => {
      const script = `${VERSION("99.1")}\necho "connection refused" >&2; exit 1`;
      await expect(backupDatabase(await requestWith(db, url, script))).rejects.toMatchObject({
        ...{ code: "BACKUP_FAILED", message: expect.stringContaining("connection refused") },
      });
    }));

  test("refuses a name of an environment that would leave the folder", () =>
    withDatabase(async (db, url) => {
      const request = await requestWith(db, url, VERSION("99.1"));
      await expect(backupDatabase({ ...request, environment: "../x" })).rejects.toMatchObject({
        code: "BACKUP_REFUSED",
      });
    }));
});
