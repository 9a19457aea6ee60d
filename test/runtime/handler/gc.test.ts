/** gc on a real database and real files, with rows aged by SQL and a fixed day. */
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/base/json.js";
import type { Retention } from "../../../src/policy/policy.js";
import { createGcHandler } from "../../../src/runtime/handler/gc.js";
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

interface Setup {
  readonly db: Database;
  readonly exportsDir: string;
  run(
    payload?: JsonObject,
    changes?: { exportsDir?: string; retention?: Partial<Retention> },
  ): Promise<unknown>;
}

function withGc(test: (setup: Setup) => Promise<void>): Promise<void> {
  return withFolder((folder) =>
    withDatabase(async (db) => {
      const exportsDir = join(folder, "exports");
      await test({
        db,
        exportsDir,
        run: async (payload = {}, { retention, ...changes } = {}) => {
          const policy = () => makePolicy({ retention: { ...RETENTION, ...retention } });
          const handler = createGcHandler({ db, exportsDir, policy, ...changes });
          return handler.run(makeContext({ payload, seq: 7 }));
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
        ...{ dry_run: true, rows: EXPIRED, export_files: 0 },
      });
      expect(await countAll(db)).toEqual(before);
      expect(await run()).toEqual({ dry_run: false, rows: EXPIRED, export_files: 0 });
      expect(await countAll(db)).toEqual({ events: 1_100, jobs: 5, healdec_log: 1, samples: 1 });
      expect(await run()).toMatchObject({ rows: { events: 0, jobs: 0, quarantined_jobs: 0 } });
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
