/** Backups as a task of maintenance, and the proof that they can be put back, on a real server and real files. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createShell } from "../../../src/adapter/shell.js";
import type { JsonObject } from "../../../src/base/json.js";
import type { Programs } from "../../../src/runbook/port.js";
import { createMaintenanceHandler } from "../../../src/runtime/handler/maintenance.js";
import { processKey } from "../../../src/runtime/process-key.js";
import { backupSource } from "../../../src/runtime/sample/backup.js";
import { type Database, openDatabase } from "../../../src/store/database.js";
import { migrate } from "../../../src/store/migrate.js";
import { readMigrationFiles } from "../../../src/store/migration-files.js";
import {
  listRestored,
  readScratchPrefix,
  restoreInto,
} from "../../../src/store/restored-database.js";
import { createTestDatabase } from "../../support/database.js";
import { makeContext } from "../../support/job-context.js";
import { makePolicy } from "../../support/make-policy.js";
import {
  NEEDS_POSTGRES_PROGRAMS,
  type OwnServer,
  postgresPrograms,
  startOwnServer,
} from "../../support/postgres-programs.js";
import { makeShell } from "../../support/runbook-world.js";

interface Ground {
  readonly db: Database;
  readonly url: string;
  readonly shell: Programs;
}

let backupsDir: string;
beforeEach(async () => {
  backupsDir = await mkdtemp(join(tmpdir(), "algobrain-backups-"));
  return () => rm(backupsDir, { recursive: true, force: true });
});

interface Changes {
  readonly seq?: number;
  readonly now?: Date;
  readonly backupsKeep?: number;
  readonly backup?: boolean;
}

function maintain(ground: Ground, task: string | null, changes: Changes = {}) {
  const { seq = 1, now = new Date(), backup = false, backupsKeep = 7 } = changes;
  const { db, url: directUrl, shell } = ground;
  const care = { backupsDir, directUrl, shell, ssl: false, environment: "test" };
  const base = makePolicy();
  const maintenance = { ...base.workload.maintenance, backup, backupsKeep };
  const policy = () => ({ ...base, workload: { ...base.workload, maintenance } });
  const payload: JsonObject = task === null ? {} : { task };
  const context = makeContext({ kind: "maintenance", payload, seq, now: now.toISOString() });
  return createMaintenanceHandler({ db, policy, care }).run(context) as Promise<JsonObject>;
}

const fill = (db: Database) =>
  db.query(
    `INSERT INTO events (event_type, payload) SELECT 'push', jsonb_build_object('n', n) FROM generate_series(1, 700) n;
     INSERT INTO repos (id, name) VALUES ('r1', 'kept');
     INSERT INTO scores (repo_id, score) VALUES ('r1', 87.65)`,
  );

const COUNTS = { "public.events": 700, "public.repos": 1, "public.scores": 1, "public.jobs": 0 };

/** Of this database; others may be tested at the same time. */
async function scratchOf(db: Database): Promise<string[]> {
  const prefix = await readScratchPrefix(db);
  const all = await listRestored(db);
  return all.map(({ database }) => database).filter((name) => name.startsWith(prefix));
}

describe("backups of maintenance", () => {
  let ground: Ground;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const made = await createTestDatabase();
    ground = { db: made.db, url: made.url, shell: makeShell() };
    drop = () => made.drop();
    await fill(made.db);
  });
  afterAll(() => drop());

  const names = () => readdirSync(backupsDir).sort();

  it("can be put back: the same counts, nothing left of the test, and the time on record", async () => {
    const now = new Date("2026-06-15T12:00:00Z");
    const { backup } = await maintain(ground, "backup", { now });
    expect(names()).toEqual(["algobrain-test-20260615T120000Z-job-1"]);
    expect(await maintain(ground, "restore-test", { seq: 2, now })).toMatchObject({
      ...{ tested: backup, wrong: [], counted: true, rows: COUNTS },
    });
    expect(await scratchOf(ground.db)).toEqual([]);
    const samples = await backupSource(ground.db).collect(now);
    expect(samples.map(({ metric, value }) => [metric, value])).toEqual([
      ["algobrain.backup.verified_at", now.getTime() / 1_000],
      ["algobrain.backup.restore_tested_at", now.getTime() / 1_000],
    ]);
  });

  it("of which one byte was changed fail their test before anything is restored", async () => {
    const { backup } = await maintain(ground, "backup");
    const file = join(backupsDir, `${backup}`, "public.events.ndjson");
    writeFileSync(file, readFileSync(file, "utf8").replace('"n": 7', '"n": 8'));
    await expect(maintain(ground, "restore-test", { seq: 2 })).rejects.toMatchObject({
      ...{ kind: "data", code: "RESTORE_TEST_FAILED" },
      message: expect.stringContaining("public.events.ndjson is not as it was written"),
    });
    const { rows } = await ground.db.query(
      "SELECT ok, facts ->> 'tested' AS tested FROM control.maintenance_report WHERE kind = 'restore-test' ORDER BY id DESC LIMIT 1",
    );
    expect(rows).toEqual([{ ok: false, tested: backup }]);
    expect(await scratchOf(ground.db)).toEqual([]);
  });

  it("are made once by a job however often it runs, and what it left half done is removed", async () => {
    const now = new Date();
    const half = join(backupsDir, "algobrain-test-20260615T110000Z-job-1");
    mkdirSync(half);
    writeFileSync(join(half, "public.events.ndjson"), "{");
    const first = await maintain(ground, "backup", { now });
    expect(await maintain(ground, "backup", { now })).toMatchObject({ backup: first.backup });
    expect(names()).toEqual([first.backup]);
  });

  it("keep the newest few of their own, and all that others took", async () => {
    const others = join(backupsDir, "algobrain-test-20250101T000000Z-run-4");
    mkdirSync(others);
    const manifest = { format: 1, takenAt: "2025-01-01T00:00:00Z", tables: [] };
    writeFileSync(join(others, "manifest.json"), JSON.stringify(manifest));
    const kept: unknown[] = [];
    for (const seq of [1, 2]) {
      const now = new Date(Date.UTC(2026, 5, seq));
      kept.push((await maintain(ground, "backup", { seq, now, backupsKeep: 1 })).backup);
    }
    expect(names()).toEqual(["algobrain-test-20250101T000000Z-run-4", kept[1]]);
    // A backup of one table is none of which a database comes back.
    await rm(join(backupsDir, `${kept[1]}`), { recursive: true });
    expect(await maintain(ground, "restore-test")).toMatchObject({ tested: null });
  });

  it("are taken once a day by the hourly care, where the policy wants them", async () => {
    const now = new Date("2026-06-15T12:00:00Z");
    const wanted = { now, backup: true };
    expect(await maintain(ground, null, wanted)).toHaveProperty("backup.backup", names()[0]);
    const later = { ...wanted, seq: 2, now: new Date("2026-06-16T11:00:00Z") };
    expect(await maintain(ground, null, later)).not.toHaveProperty("backup");
    const tomorrow = { ...later, now: new Date("2026-06-16T12:00:00Z") };
    expect(await maintain(ground, null, tomorrow)).toHaveProperty("backup.backup", names()[1]);
  });

  it("leave no database behind, not even that of a test which was killed", async () => {
    const { backup } = await maintain(ground, "backup");
    const database = `${await readScratchPrefix(ground.db)}99`;
    const care = { backupsDir, directUrl: ground.url, shell: ground.shell, ssl: false };
    const { signal } = new AbortController();
    await restoreInto(care, { backup: `${backup}`, database, signal });
    expect(await scratchOf(ground.db)).toEqual([database]);
    // Killed before it could say of what it is.
    const bare = `${await readScratchPrefix(ground.db)}98`;
    await ground.db.query(`CREATE DATABASE ${bare} TEMPLATE template0`);
    expect(await maintain(ground, null, { seq: 100 })).toMatchObject({
      scratch_databases_dropped: 2,
    });
    expect(await scratchOf(ground.db)).toEqual([]);
    const left = "SELECT FROM pg_database WHERE datname = ANY ($1)";
    expect((await ground.db.query(left, [[database, bare]])).rows).toHaveLength(0);
  });

  it("are not to blame for what is wrong in the living data, too", async () => {
    await ground.db.query(
      "INSERT INTO claims (repo_id, identity_id, kind, reason) VALUES ('r1', 'nobody', 'author', 'test')",
    );
    try {
      await maintain(ground, "backup");
      expect(await maintain(ground, "restore-test", { seq: 2 })).toMatchObject({
        ...{ wrong: [], broken_here_too: ["claim-has-identity: 1"] },
      });
    } finally {
      await ground.db.query("DELETE FROM claims WHERE identity_id = 'nobody'");
    }
  });

  it("cannot be tried out by a user who may not create databases: it is said what to do", async () => {
    await maintain(ground, "backup");
    const role = `algobrain_test_${process.pid}_plain`;
    await ground.db.query(`CREATE ROLE ${role} LOGIN PASSWORD 'plain'`);
    try {
      const url = Object.assign(new URL(ground.url), { username: role, password: "plain" }).href;
      await expect(maintain({ ...ground, url }, "restore-test")).rejects.toMatchObject({
        ...{ kind: "refused", code: "RESTORE_REFUSED" },
        message: "the program's user may not create databases",
      });
    } finally {
      await ground.db.query(`DROP ROLE ${role}`);
    }
  });

  it("and what takes room is said in a report, unread indexes only once statistics tell", async () => {
    const young = await maintain(ground, "report");
    expect(young).toMatchObject({ indexes_invalid: [], indexes_unread: null });
    expect(young.tables).toContainEqual(expect.objectContaining({ table: "public.events" }));
    const inAMonth = new Date(Date.now() + 30 * 86_400_000);
    const old = await maintain(ground, "report", { now: inAMonth });
    const unread = (old.indexes_unread as { index: string }[]).map(({ index }) => index);
    expect(unread.length).toBeGreaterThan(0);
    expect(unread).not.toContain("public.jobs_pkey");
    // Nobody but people reads it: dropped on this advice, what they type would read the whole table.
    expect(unread).not.toContain("public.idx_jobs_id");
  });
});

describe.skipIf(postgresPrograms === null)(`${NEEDS_POSTGRES_PROGRAMS} backups`, () => {
  let server: OwnServer;
  let ground: Ground;
  beforeAll(async () => {
    server = await startOwnServer();
    const db = openDatabase({
      ...{ url: server.url, poolMax: 4, applicationName: "test", ssl: false },
    });
    await migrate(db, await readMigrationFiles());
    await fill(db);
    const path = `${postgresPrograms?.binFolder}:/usr/bin:/bin`;
    const shell = createShell({ redact: (text) => text, keyOf: processKey, path });
    ground = { db, url: server.url, shell };
  });
  afterAll(async () => {
    await ground.db.close();
    await server.stop();
  });

  it("by pg_dump come back with the rows that were counted in the same moment", async () => {
    const made = await maintain(ground, "backup");
    expect(made).toMatchObject({ method: "pg_dump", rows: COUNTS });
    // What comes afterwards is not in it.
    await ground.db.query("INSERT INTO events (event_type) VALUES ('late')");
    expect(await maintain(ground, "restore-test", { seq: 2 })).toMatchObject({
      ...{ tested: made.backup, counted: true, rows: COUNTS, wrong: [] },
    });
    expect(await scratchOf(ground.db)).toEqual([]);
  });
});
