/** gc on a real database and real files, with rows aged by SQL and a fixed day. */
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/base/clock.js";
import type { JsonObject } from "../../../src/base/json.js";
import type { Retention } from "../../../src/policy/policy.js";
import { createGcHandler } from "../../../src/runtime/handler/gc.js";
import { nextBatchRows } from "../../../src/runtime/handler/gc-batches.js";
import { verifyAudit } from "../../../src/store/audit.js";
import type { Database } from "../../../src/store/database.js";
import { withDatabase } from "../../support/database.js";
import { withFolder } from "../../support/git-repository.js";
import { makeContext } from "../../support/job-context.js";
import { makePolicy } from "../../support/make-policy.js";

/** As a bundle of the previous version has it: what came later is not in it. */
const RETENTION: Retention = {
  eventsDays: 90,
  jobsDays: 180,
  healdecLogsDays: 365,
  quarantinedJobsDays: 30,
  samplesDays: 30,
  logsDays: 30,
  exportsDays: 30,
};

/** Pauses take no time: what they are for is measured by bench/proof/workers/gc.mjs. */
const RESTLESS: Clock = { now: () => new Date(0), sleep: async () => undefined };

interface Setup {
  readonly db: Database;
  readonly exportsDir: string;
  run(payload?: JsonObject, changes?: Changes): Promise<unknown>;
}

interface Changes {
  readonly exportsDir?: string;
  readonly retention?: Partial<Retention>;
  /** Default: 7. */
  readonly seq?: number;
  readonly now?: string;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

function withGc(test: (setup: Setup) => Promise<void>): Promise<void> {
  return withFolder((folder) =>
    withDatabase(async (db) => {
      const exportsDir = join(folder, "exports");
      await test({
        db,
        exportsDir,
        run: async (payload = {}, { retention, seq = 7, now, signal, ...changes } = {}) => {
          const policy = () => makePolicy({ retention: { ...RETENTION, ...retention } });
          const deps = { db, exportsDir, policy, clock: RESTLESS, ...changes };
          const job = { payload, seq, ...(now ? { now } : {}), ...(signal ? { signal } : {}) };
          return createGcHandler(deps).run(makeContext(job));
        },
      });
    }),
  );
}

const at = (days: number) => `timestamptz '2026-06-15T12:00:00Z' - interval '${days} days'`;

/** The day before and the day after the limit of each entity, as seen from 2026-06-15 (HB-cfg-01…04). */
async function addAged(db: Database): Promise<void> {
  for (const days of [89, 91])
    await db.query(
      `INSERT INTO events (event_type, created_at) SELECT 'push', ${at(days)} FROM generate_series(1, 1100)`,
    );
  for (const days of [179, 181])
    await db.query(
      `INSERT INTO jobs (job_type, status, completed_at, created_at)
       SELECT 'index', s, CASE WHEN s <> 'pending' THEN ${at(days)} END, ${at(days)}
       FROM unnest(ARRAY['completed', 'failed', 'pending']) s`,
    );
  for (const days of [29, 31])
    await db.query(
      `INSERT INTO jobs (job_type, status, error, completed_at)
       VALUES ('score', 'quarantined', 'no repo', ${at(days)})`,
    );
  for (const days of [364, 366])
    await db.query(
      `INSERT INTO healdec_log (job_id, failure_type, strategy, attempt_number, created_at)
       VALUES ('job-1', 'data', 'quarantine', 1, ${at(days)})`,
    );
  // By whole days: of the thirtieth day back nothing goes, not even what is older by some hours.
  await db.query(
    `INSERT INTO control.sample SELECT 1, '2026-05-16T00:00:00Z'::timestamptz + n * interval '1 s', 1 FROM generate_series(-1500, 0) n`,
  );
}

const EXPIRED = {
  ...{ events: 1_100, jobs: 2, quarantined_jobs: 1, healdec_log: 1, samples: 1_500 },
  ...{ runs: 0, internal_jobs: 0, inbound: 0, notices: 0, alert_events: 0, silences: 0 },
  ...{ policy_revisions: 0, policy_bundles: 0, policy_refusals: 0, policy_processes: 0 },
  ...{ policy_overrides: 0, config_changes: 0, revoked_tokens: 0, workers: 0, unique_holds: 0 },
  ...{ gc_previews: 0, export_runs: 0, backfills: 0, repair_records: 0, audit_findings: 0 },
  ...{ maintenance_reports: 0, github_pages: 0, github_permits: 0, claims: 0, identities: 0 },
};

async function countAll(db: Database) {
  const { rows } = await db.query(
    `SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM jobs) AS jobs,
       (SELECT count(*) FROM healdec_log) AS healdec_log, (SELECT count(*) FROM control.sample) AS samples`,
  );
  return rows[0];
}

describe("gc", () => {
  it("counts in a dry run what it then deletes, and nothing a second time", () =>
    withGc(async ({ db, run }) => {
      await addAged(db);
      const before = await countAll(db);
      expect(await run({ dry_run: true })).toEqual({
        ...{ dry_run: true, preview: "job-7", rows: EXPIRED, export_files: 0 },
      });
      expect(await countAll(db)).toEqual(before);
      expect(await run({ preview: "job-7" })).toEqual({
        ...{ dry_run: false, preview: "job-7", rows: EXPIRED, export_files: 0 },
      });
      expect(await countAll(db)).toEqual({ events: 1_100, jobs: 5, healdec_log: 1, samples: 1 });
      expect(await run({}, { seq: 8 })).toMatchObject({
        rows: { events: 0, jobs: 0, quarantined_jobs: 0 },
      });
    }));

  it("drops the days of samples that have a partition", () =>
    withGc(async ({ db, run }) => {
      // As they stand in the June of the handler's clock.
      await db.query(
        `ALTER TABLE control.sample DETACH PARTITION control.sample_before_days;
         ALTER TABLE control.sample ATTACH PARTITION control.sample_before_days FOR VALUES FROM (MINVALUE) TO ('2026-05-15 00:00+00');
         CREATE TABLE control.sample_20260515 PARTITION OF control.sample FOR VALUES FROM ('2026-05-15 00:00+00') TO ('2026-05-16 00:00+00');
         CREATE TABLE control.sample_20260516 PARTITION OF control.sample FOR VALUES FROM ('2026-05-16 00:00+00') TO ('2026-05-17 00:00+00')`,
      );
      await addAged(db);
      expect(await run()).toMatchObject({ rows: { samples: 1_500 } });
      const { rows } = await db.query(
        "SELECT inhrelid::regclass::text AS part FROM pg_inherits WHERE inhparent = 'control.sample'::regclass ORDER BY 1",
      );
      expect(rows).toEqual([{ part: "sample_20260516" }, { part: "sample_default" }]);
    }));

  it("writes quarantined jobs to a private file before they go, and that they went to the audit log", () =>
    withGc(async ({ db, exportsDir, run }) => {
      await addAged(db);
      await run();
      const file = join(exportsDir, "quarantined-jobs-job-7.ndjson");
      const lines = readFileSync(file, "utf8").trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line))).toEqual([
        expect.objectContaining({ job_type: "score", status: "quarantined", error: "no repo" }),
      ]);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const { rows } = await db.query("SELECT action, target, details FROM audit_log");
      expect(rows).toEqual([
        {
          ...{ action: "quarantine.expired", target: "job-7" },
          details: { rows: 1, first: 8, last: 8, file: "quarantined-jobs-job-7.ndjson" },
        },
      ]);
    }));

  it("deletes no quarantined job that it could not write down", () =>
    withGc(async ({ db, run }) => {
      await addAged(db);
      await expect(run({}, { exportsDir: "/dev/null/exports" })).rejects.toMatchObject({
        kind: "transient",
        code: "EXPORTS_FOLDER_UNUSABLE",
      });
      expect(await run({ dry_run: true })).toMatchObject({ rows: { quarantined_jobs: 1 } });
    }));

  it("takes audit entries only where policy says so, and leaves a chain that holds", () =>
    withGc(async ({ db, exportsDir, run }) => {
      await db.query(
        `SELECT control.audit_append('ann', 'thing.done', 'thing-' || n, '{}') FROM generate_series(1, 1500) n`,
      );
      await db.query(
        `ALTER TABLE audit_log DISABLE TRIGGER USER;
         UPDATE audit_log SET created_at = ${at(400)} - interval '1 day' * (2000 - seq)`,
      );
      await rehash(db);
      expect(await run({ dry_run: true })).not.toHaveProperty("rows.audit_log");
      const keepFor = { retention: { auditDays: 365 } };
      expect(await run({ dry_run: true }, keepFor)).toMatchObject({ rows: { audit_log: 1_500 } });
      expect(await run({}, keepFor)).toMatchObject({ rows: { audit_log: 1_500 } });
      const file = readFileSync(join(exportsDir, "audit-log-job-7.ndjson"), "utf8");
      expect(file.trimEnd().split("\n")).toHaveLength(1_500);
      // One entry a batch says what went.
      expect(await verifyAudit(db)).toEqual({ ok: true, entries: 2, brokenAt: null });
    }));

  it("deletes old exports of ours, and nothing else that lies there", () =>
    withGc(async ({ exportsDir, run }) => {
      mkdirSync(exportsDir);
      const files = {
        "events-job-1.ndjson.gz": "2026-05-01",
        "quarantined-jobs-job-2.ndjson": "2026-05-01",
        "audit-job-3.ndjson.gz.part": "2026-05-01",
        "events-job-4.ndjson.gz": "2026-06-01",
        "notes.txt": "2026-05-01",
      };
      for (const [name, day] of Object.entries(files)) {
        writeFileSync(join(exportsDir, name), "");
        utimesSync(join(exportsDir, name), new Date(day), new Date(day));
      }
      expect(await run({ dry_run: true })).toMatchObject({ export_files: 3 });
      expect(readdirSync(exportsDir)).toHaveLength(5);
      expect(await run()).toMatchObject({ export_files: 3 });
      expect(readdirSync(exportsDir).sort()).toEqual(["events-job-4.ndjson.gz", "notes.txt"]);
    }));
});

/** Old ones besides those of `addAged`. */
const addEvents = (db: Database, count: number, days = 100) =>
  db.query(
    `INSERT INTO events (event_type, created_at) SELECT 'push', ${at(days)} FROM generate_series(1, $1::int)`,
    [count],
  );

const countEvents = async (db: Database) =>
  (await db.query<{ count: number }>("SELECT count(*) AS count FROM events")).rows[0]!.count;

describe("a gc in a process whose clock is years ahead", () => {
  it("deletes nothing that is young by the clock of the database", () =>
    withGc(async ({ db, run }) => {
      await db.query("INSERT INTO events (event_type, created_at) VALUES ('push', now())");
      expect(await run({}, { now: "2199-06-15T12:00:00Z" })).toMatchObject({ rows: { events: 0 } });
      expect(await countEvents(db)).toBe(1);
    }));
});

describe("a gc that names a preview", () => {
  const preview = { preview: "job-7" };

  it("deletes the rows that were counted, not those that have grown old since", () =>
    withGc(async ({ db, run }) => {
      await addEvents(db, 20_000);
      await addEvents(db, 3, 89);
      await run({ dry_run: true });
      const later = { seq: 8, now: "2026-06-17T12:00:00Z" };
      await addEvents(db, 2, 200);
      const still = { ...preview, dry_run: true };
      expect(await run(still, later)).toMatchObject({ ...still, rows: { events: 20_002 } });
      await db.query("DELETE FROM events WHERE id > (SELECT max(id) FROM events) - 2");
      expect(await run(preview, later)).toMatchObject({ ...preview, rows: { events: 20_000 } });
      expect(await countEvents(db)).toBe(3);
      expect(await run(preview, { ...later, seq: 9 })).toMatchObject({ rows: { events: 0 } });
    }));

  it("is refused when a fifth more is due than was counted, and deletes nothing of anything", () =>
    withGc(async ({ db, run }) => {
      await addAged(db);
      await addEvents(db, 18_900);
      await run({ dry_run: true });
      await addEvents(db, 4_000);
      await expect(run(preview, { seq: 8 })).rejects.toMatchObject({
        ...{ kind: "refused", code: "GC_MORE_THAN_PREVIEWED" },
        message: "events: 20000 rows were previewed, 24000 are due now",
      });
      expect(await countAll(db)).toMatchObject({ events: 25_100, jobs: 8, healdec_log: 2 });
      // Within a tenth and a thousand rows nobody is asked again.
      await db.query("DELETE FROM events WHERE id > (SELECT max(id) FROM events) - 1000");
      expect(await run(preview, { seq: 9 })).toMatchObject({ rows: { events: 23_000 } });
    }));

  it("keeps what the policy keeps longer since, and for ever", () =>
    withGc(async ({ db, run }) => {
      await addEvents(db, 10);
      await addEvents(db, 5, 200);
      await run({ dry_run: true });
      const longer = { seq: 8, retention: { eventsDays: 150 } };
      expect(await run(preview, longer)).toMatchObject({ rows: { events: 5 } });
      expect(await countEvents(db)).toBe(10);
    }));

  it("is refused where there is none of that name, however large", () =>
    withGc(async ({ run }) => {
      for (const name of ["job-17", "job-999999999999999"])
        await expect(run({ preview: name })).rejects.toMatchObject({
          ...{ kind: "refused", code: "GC_PREVIEW_UNKNOWN" },
          message: `${name} previewed nothing that is on record`,
        });
    }));

  it("takes only the entities that were asked for, and no files with them", () =>
    withGc(async ({ db, exportsDir, run }) => {
      await addAged(db);
      mkdirSync(exportsDir);
      writeFileSync(join(exportsDir, "events-job-1.ndjson.gz"), "");
      utimesSync(join(exportsDir, "events-job-1.ndjson.gz"), 0, 0);
      await run({ dry_run: true, entities: ["events", "silences"] });
      await expect(run({ ...preview, entities: ["events", "jobs"] })).rejects.toMatchObject({
        message: "job-7 previewed no jobs that is on record",
      });
      expect(await run({ ...preview, entities: ["events"] }, { seq: 8 })).toEqual({
        ...{ dry_run: false, ...preview, rows: { events: 1_100 }, export_files: 0 },
      });
      expect(await countAll(db)).toMatchObject({ events: 1_100, jobs: 8 });
      expect(readdirSync(exportsDir)).toHaveLength(1);
    }));
});

describe("a gc that is interrupted", () => {
  it("goes on with what it had counted, at the times it had counted by", () =>
    withGc(async ({ db, run }) => {
      await addEvents(db, 3_000);
      await addEvents(db, 7, 89);
      const stop = new AbortController();
      const clock: Clock = { ...RESTLESS, sleep: async () => stop.abort() };
      await expect(run({}, { clock, signal: stop.signal })).rejects.toThrow();
      expect(await countEvents(db)).toBe(2_007);
      const retry = { now: "2026-06-17T12:00:00Z" };
      expect(await run({}, retry)).toMatchObject({ preview: "job-7", rows: { events: 2_000 } });
      expect(await countEvents(db)).toBe(7);
    }));

  it("stops when far more goes than was counted, as rows are backdated while it works", () =>
    withGc(async ({ db, run }) => {
      await addEvents(db, 500);
      const clock: Clock = { ...RESTLESS, sleep: async () => void (await addEvents(db, 1_000)) };
      await expect(run({}, { clock })).rejects.toMatchObject({
        ...{ kind: "refused", code: "GC_MORE_THAN_PREVIEWED" },
        message: expect.stringMatching(
          /^events: 500 rows were previewed, 1550 are gone and \d+ more/,
        ),
      });
    }));
});

describe("the size of a batch", () => {
  it("halves when a statement was slow and doubles when it was quick, within bounds", () => {
    expect(nextBatchRows(1_000, 201)).toBe(500);
    expect(nextBatchRows(1_000, 200)).toBe(1_000);
    expect(nextBatchRows(1_000, 49)).toBe(2_000);
    expect(nextBatchRows(4_000, 1)).toBe(5_000);
    expect(nextBatchRows(150, 9_000)).toBe(100);
  });
});

/** Makes the chain fit its entries again after they were aged. */
async function rehash(db: Database): Promise<void> {
  await db.query(
    `DO $$
     DECLARE
       entry public.audit_log%ROWTYPE;
       last bytea := '\\x00';
     BEGIN
       FOR entry IN SELECT * FROM public.audit_log ORDER BY seq LOOP
         UPDATE public.audit_log l SET prev_hash = last,
           hash = control.audit_hash(last, seq, created_at, actor, action, target, details)
         WHERE l.seq = entry.seq RETURNING hash INTO last;
       END LOOP;
       UPDATE control.audit_head SET hash = last;
     END $$;
     ALTER TABLE audit_log ENABLE TRIGGER USER`,
  );
}
