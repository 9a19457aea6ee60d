import { describe, expect, it } from "vitest";
import { appendAudit, verifyAudit } from "../../src/store/audit.js";
import { type Database, openDatabase, type Sql } from "../../src/store/database.js";
import { findBrokenInvariants } from "../../src/store/invariants.js";
import { RETAINED_ENTITIES, type RetainedEntity } from "../../src/store/retained-entities.js";
import {
  countExpired,
  deleteExpired,
  deleteExported,
  type ExportedEntity,
  lockExpired,
} from "../../src/store/retention.js";
import { withDatabase } from "../support/database.js";

const BEFORE = new Date("2026-06-01T00:00:00Z");

/** One old and one young job of each status and kind. */
async function addJobs(sql: Sql): Promise<void> {
  await sql.query(
    `INSERT INTO public.jobs (job_type, status, completed_at, created_at)
     SELECT kind, status, CASE WHEN status IN ('pending', 'running') THEN NULL ELSE at END, at
     FROM unnest(ARRAY['index', 'runbook']) AS kind,
       unnest(ARRAY['pending', 'running', 'completed', 'failed', 'quarantined', 'cancelled']) AS status,
       unnest(ARRAY['2026-01-01'::timestamptz, '2026-06-02']) AS at`,
  );
}

/** What belongs to jobs, one row of each table for each. */
async function addParts(sql: Sql, seqs: readonly number[]): Promise<void> {
  await sql.query(
    `INSERT INTO control.compensation (job_seq, ordinal, name, input)
     SELECT seq, 1, 'undo', '{}' FROM unnest($1::bigint[]) seq`,
    [seqs],
  );
  await sql.query(
    `INSERT INTO control.job_attempt (job_seq, fence, attempt, worker_id, started_at)
     SELECT seq, 1, 1, 'general-worker-1', now() FROM unnest($1::bigint[]) seq`,
    [seqs],
  );
  await sql.query(
    `INSERT INTO control.job_line (job_seq, fence, ordinal, at, level, message)
     SELECT seq, 1, 1, now(), 'info', 'found 3' FROM unnest($1::bigint[]) seq`,
    [seqs],
  );
}

async function leftParts(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ left: string }>(
    `SELECT 'compensation ' || job_seq AS left FROM control.compensation
     UNION ALL SELECT 'job_attempt ' || job_seq FROM control.job_attempt
     UNION ALL SELECT 'job_line ' || job_seq FROM control.job_line ORDER BY 1`,
  );
  return rows.map(({ left }) => left);
}

async function leftJobs(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ left: string }>(
    `SELECT job_type || ' ' || status || ' ' || to_char(created_at AT TIME ZONE 'UTC', 'MM') AS left
     FROM jobs ORDER BY 1`,
  );
  return rows.map(({ left }) => left);
}

describe("retention", () => {
  it("of jobs takes the old, ended, public ones, and no other", () =>
    withDatabase(async (db) => {
      await addJobs(db);
      expect(await countExpired(db, "jobs", BEFORE)).toBe(3);
      expect((await deleteExpired(db, "jobs", BEFORE)).count).toBe(3);
      expect((await deleteExpired(db, "jobs", BEFORE)).count).toBe(0);
      const left = await leftJobs(db);
      expect(left).toHaveLength(21);
      for (const gone of ["index completed 01", "index failed 01", "index cancelled 01"])
        expect(left).not.toContain(gone);
    }));

  it("of quarantined jobs lends whole rows to be exported, then deletes these with what belongs to them", () =>
    withDatabase(async (db) => {
      await addJobs(db);
      expect(await countExpired(db, "quarantined_jobs", BEFORE)).toBe(2);
      await db.transaction(async (tx) => {
        const expired = await lockExpired(tx, "quarantined_jobs", BEFORE);
        expect(expired.map(({ line }) => JSON.parse(line))).toMatchObject([
          { seq: expired[0]?.seq, status: "quarantined", job_type: "index" },
          { seq: expired[1]?.seq, status: "quarantined", job_type: "runbook" },
        ]);
        const seqs = expired.map(({ seq }) => seq);
        await addParts(tx, [...seqs, 1]);
        expect(await deleteExported(tx, "quarantined_jobs", seqs)).toBe(2);
      });
      expect(await leftParts(db)).toEqual(["compensation 1", "job_attempt 1", "job_line 1"]);
      expect(await leftJobs(db)).toHaveLength(22);
    }));

  it("leaves a row that an operator is changing at that moment", () =>
    withDatabase(async (db) => {
      await addJobs(db);
      await db.transaction(async (operator) => {
        await operator.query(
          "SELECT FROM jobs WHERE status = 'failed' AND job_type = 'index' FOR UPDATE",
        );
        expect((await deleteExpired(db, "jobs", BEFORE)).count).toBe(2);
      });
      expect((await deleteExpired(db, "jobs", BEFORE)).count).toBe(1);
    }));

  it("lends no quarantined job that a person has retried since the look began", () =>
    withDatabase(async (db) => {
      await addJobs(db);
      await db.transaction(async (tx) => {
        // Row by row, as a server that is slow: between the first and the rest a person acts.
        const slow: Sql = {
          query: async <Row extends object>(text: string, values: readonly unknown[] = []) => {
            const [before, limit] = values as [Date, number];
            const filled = text
              .replaceAll("$1", `'${before.toISOString()}'`)
              .replace("$2", `${limit}`);
            await tx.query(`DECLARE slowly CURSOR FOR ${filled}`);
            const { rows: first } = await tx.query<Row>("FETCH 1 FROM slowly");
            await db.query(
              "UPDATE jobs SET status = 'pending' WHERE status = 'quarantined' AND job_type = 'runbook'",
            );
            const { rows: rest } = await tx.query<Row>("FETCH ALL FROM slowly");
            return { rows: [...first, ...rest], rowCount: first.length + rest.length };
          },
        };
        const expired = await lockExpired(slow, "quarantined_jobs", BEFORE);
        expect(expired.map(({ line }) => JSON.parse(line).job_type)).toEqual(["index"]);
      });
    }));

  it.each([
    ["events", "INSERT INTO events (event_type, created_at) SELECT 'push', at FROM times"],
    [
      "healdec_log",
      `INSERT INTO healdec_log (job_id, failure_type, strategy, attempt_number, created_at)
       SELECT 'job-1', 'transient', 'retry', 1, at FROM times`,
    ],
  ] as const)("of %s goes by age, in batches of a thousand", (entity, insert) =>
    withDatabase(async (db) => {
      await db.query(
        `WITH times AS (
           SELECT '2026-05-31T23:59:59Z'::timestamptz - n * interval '1 s' AS at
           FROM generate_series(0, 1499) n
           UNION ALL SELECT '2026-06-01T00:00:00Z')
         ${insert}`,
      );
      expect(await countExpired(db, entity, BEFORE)).toBe(1_500);
      const first = await deleteExpired(db, entity, BEFORE);
      expect(first.count).toBe(1_000);
      const second = await deleteExpired(db, entity, BEFORE, first.reached);
      expect(second.count).toBe(500);
      expect((await deleteExpired(db, entity, BEFORE, second.reached)).count).toBe(0);
    }),
  );
});

const OLD = "'2026-01-01'::timestamptz";

describe("retention of what surrounds the jobs", () => {
  it("takes the old and closed, and nothing that is open, in force, in use or young", () =>
    withDatabase(async (db) => {
      await db.query(
        `INSERT INTO control.run (runbook, actor, role, door, content_hash, status, requested_at, ended_at)
         SELECT status, 'ann', 'operator', 'cli', 'h', status, at, CASE WHEN status NOT IN ('queued', 'running') THEN at END
         FROM unnest(ARRAY['queued', 'running', 'succeeded', 'failed', 'stalled', 'cancelled']) status,
           unnest(ARRAY[${OLD}, now()]) at;
         INSERT INTO control.run_step (run_seq, phase, ordinal, name, status)
         SELECT seq, 'act', 1, runbook, 'succeeded' FROM control.run;
         INSERT INTO control.inbound (source, delivery_id, event_type, body, status, received_at, handled_at)
         SELECT 'github', status || at, status, '{}', status, at, CASE WHEN status <> 'received' THEN at END
         FROM unnest(ARRAY['received', 'handled', 'ignored', 'refused']) status, unnest(ARRAY[${OLD}, now()]) at;
         INSERT INTO control.notice (receiver, dedup_key, action, severity, source, message, reason, status, created_at)
         SELECT 'ops', status, 'trigger', 'sev3', 's', '{}', 'r', status, at
         FROM unnest(ARRAY['pending', 'sent', 'dead']) status, unnest(ARRAY[${OLD}, now()]) at;
         INSERT INTO control.alert_event (rule, instance, transition, at)
         SELECT 'rule', 'i', 'fired', at FROM unnest(ARRAY[${OLD}, now()]) at;
         INSERT INTO control.silence (id, source, matchers, starts_at, ends_at, created_by, comment)
         SELECT gen_random_uuid(), 'api', '[]', ${OLD}, ends, 'ann', 'the index moves'
         FROM unnest(ARRAY[${OLD} + interval '1 h', now() + interval '1 h']) ends;
         INSERT INTO control.policy_revision (digest, bundle, source, created_at)
         SELECT n::text, '{}', 'test', ${OLD} FROM generate_series(1, 23) n;
         INSERT INTO public.workers (id, status, last_heartbeat, stopped_at)
         SELECT 'general-worker-' || n, status, at, CASE WHEN status = 'stopped' THEN at END
         FROM unnest(ARRAY['alive', 'draining', 'stopped', 'dead', 'dead'], ARRAY[1, 3, 5, 7, 9]) AS w(status, first),
           unnest(ARRAY[${OLD}, now()], ARRAY[0, 1]) AS t(at, more), LATERAL (SELECT first + more AS n) AS number;
         INSERT INTO public.jobs (job_type, status, worker_id) VALUES ('index', 'running', 'general-worker-9');
         INSERT INTO control.unique_hold (unique_key, job_seq, until) VALUES ('old', 1, ${OLD}), ('young', 1, now());
         INSERT INTO control.policy_bundle (revision, digest, schema_version, envelope, source, status, published_at, in_force)
         SELECT n, 'd', 2, '{}', 'folder', CASE n WHEN 1 THEN 'adopted' WHEN 2 THEN 'held' ELSE 'superseded' END, ${OLD}, CASE n WHEN 1 THEN 1 END
         FROM generate_series(1, 25) n;
         INSERT INTO control.policy_refusal (source, tag, refusal, sentence, at)
         VALUES ('folder', 'a', 'malformed', 's', ${OLD}), ('folder', 'b', 'malformed', 's', now());
         INSERT INTO control.policy_process (process, role, revision, digest, seen_at)
         VALUES ('gone', 'all', 1, 'd', ${OLD}), ('here', 'all', 1, 'd', now());
         INSERT INTO control.policy_override (path, value, was, reason, owner, created_at, expires_at, ended_at)
         VALUES ('a', '1', '2', 'r', 'o', ${OLD}, ${OLD} + interval '1 h', ${OLD} + interval '1 h'), ('b', '1', '2', 'r', 'o', now(), now() + interval '1 h', NULL);
         INSERT INTO control.config_change (key, environment, path, value, reason, requested_by, status, updated_at)
         VALUES ('m', 'local', 'p', '1', 'r', 'ann', 'merged', ${OLD}), ('o', 'local', 'p', '1', 'r', 'ann', 'open', ${OLD});
         INSERT INTO control.revoked_token (jti, revoked_by, reason, until) VALUES ('old', 'ann', 'r', ${OLD}), ('young', 'ann', 'r', now())`,
      );
      const taken: Record<string, number> = {};
      for (const entity of RETAINED_ENTITIES) {
        if (entity === "quarantined_jobs" || entity === "audit_log") continue;
        taken[entity] = await countExpired(db, entity, BEFORE);
        expect((await deleteExpired(db, entity, BEFORE)).count, entity).toBe(taken[entity]);
        expect(await countExpired(db, entity, BEFORE), entity).toBe(0);
      }
      expect(taken).toEqual({
        ...{ events: 0, jobs: 0, internal_jobs: 0, healdec_log: 0, samples: 0 },
        ...{ runs: 4, inbound: 3, notices: 2, alert_events: 1, policy_revisions: 2, workers: 2 },
        ...{ policy_bundles: 3, policy_refusals: 1, policy_processes: 1, policy_overrides: 1 },
        ...{ config_changes: 1, revoked_tokens: 1, unique_holds: 1, silences: 1 },
        ...{ gc_previews: 0, export_runs: 0, backfills: 0, repair_records: 0, audit_findings: 0 },
        ...{ maintenance_reports: 0, github_pages: 0, github_permits: 0, claims: 0, identities: 0 },
      });
      const { rows } = await db.query<{ steps: number; open: string; revision: number }>(
        `SELECT (SELECT count(*) FROM control.run_step) AS steps, (SELECT min(revision) FROM control.policy_revision) AS revision,
           (SELECT string_agg(status, ' ' ORDER BY status) FROM control.run WHERE requested_at = ${OLD}) AS open`,
      );
      expect(rows).toEqual([{ steps: 8, open: "queued running", revision: 1 }]);
    }));

  it("takes what long work noted of itself, but nothing that a retry goes on from, and the newest report", () =>
    withDatabase(async (db) => {
      await db.query(
        `INSERT INTO public.jobs (job_type, status) VALUES ('export', 'pending'), ('export', 'running');
         INSERT INTO control.gc_preview SELECT 9, entity, now(), 1, at
         FROM unnest(ARRAY['a', 'b'], ARRAY[${OLD}, now()]) p(entity, at);
         INSERT INTO control.export_run (job_seq, entity, format, target, name, from_key, max_key, chunk_bytes, as_of, ended_at)
         SELECT n, 'events', 'csv', 'd', 'n', 0, 0, 1, ${OLD}, CASE WHEN n = 3 THEN ${OLD} END FROM generate_series(1, 4) n;
         INSERT INTO control.export_part SELECT n, 1, 0, 0, 0, 0, '' FROM generate_series(1, 4) n;
         INSERT INTO control.backfill (job_seq, entity, first_day, last_day, finished_at)
         VALUES (1, 'scores', '2026-01-01', '2026-01-02', ${OLD}), (2, 'scores', '2026-01-01', '2026-01-02', NULL);
         INSERT INTO control.repair_record (job_seq, kind, rows, at) VALUES (1, 'k', '[]', ${OLD}), (2, 'k', '[]', now());
         INSERT INTO control.audit_finding (invariant, first_seen, last_seen, count, examples, resolved_at)
         VALUES ('a', ${OLD}, ${OLD}, 1, '[]', ${OLD}), ('a', ${OLD}, ${OLD}, 1, '[]', NULL), ('b', ${OLD}, now(), 1, '[]', now());
         INSERT INTO control.maintenance_report (kind, at, ok, facts)
         SELECT kind, ${OLD}, true, '{}' FROM unnest(ARRAY['backup', 'report', 'backup']) kind;
         INSERT INTO control.github_page (url, etag, items, fetched_at) VALUES ('a', '', '[]', ${OLD}), ('b', '', '[]', now());
         INSERT INTO control.github_permit (scope, until) VALUES ('s', ${OLD}), ('s', now())`,
      );
      expect(await takeAll(db, LONG_WORK)).toEqual({
        ...{ gc_previews: 1, export_runs: 2, backfills: 1, repair_records: 1, audit_findings: 1 },
        ...{ maintenance_reports: 1, github_pages: 1, github_permits: 1 },
      });
      const { rows } = await db.query(
        "SELECT job_seq AS part, (SELECT count(*) FROM control.export_run r WHERE r.job_seq = p.job_seq) AS run FROM control.export_part p ORDER BY 1",
      );
      expect(rows).toEqual([
        { part: 1, run: 1 },
        { part: 2, run: 1 },
      ]);
    }));

  it("takes claims of repositories archived long ago, and people without any once all who are one person are old", () =>
    withDatabase(async (db) => {
      await db.query(
        `INSERT INTO public.repos (id, name, archived, updated_at)
         VALUES ('gone', 'gone', true, ${OLD}), ('late', 'late', true, now()), ('old', 'old', false, ${OLD});
         INSERT INTO public.identities (id, merged_into, updated_at) VALUES
           ('alone', NULL, ${OLD}), ('seen', NULL, now()), ('works', NULL, ${OLD}), ('leaves', NULL, ${OLD}),
           ('head', NULL, ${OLD}), ('alias-1', 'head', ${OLD}), ('zoe', 'head', ${OLD}),
           ('boss', NULL, now()), ('alias-3', 'boss', ${OLD}), ('busy', NULL, ${OLD}), ('alias-4', 'busy', ${OLD}),
           ('person-forgotten', NULL, ${OLD});
         INSERT INTO public.claims (identity_id, repo_id, email)
         VALUES ('leaves', 'gone', 'a'), ('works', 'old', 'b'), ('busy', 'late', 'c');
         INSERT INTO control.identity_merge (identity_id, target_id, reason, claim_ids, follower_ids)
         VALUES ('alias-1', 'head', 'r', '{}', '{}'), ('alias-3', 'boss', 'r', '{}', '{}');
         INSERT INTO control.identity_hint (a, b, score, evidence) VALUES ('alone', 'boss', 0.5, '[]'), ('boss', 'busy', 0.5, '[]')`,
      );
      expect(await takeAll(db, ["identities", "claims"], 1)).toEqual({ identities: 4, claims: 1 });
      // Who lost the last claim to that is due the next time.
      expect(await takeAll(db, ["identities", "claims"])).toEqual({ identities: 1, claims: 0 });
      const { rows } = await db.query<Record<string, string>>(
        `SELECT (SELECT string_agg(id, ' ' ORDER BY id) FROM identities) AS people, (SELECT string_agg(email, ' ' ORDER BY id) FROM claims) AS mails,
           (SELECT string_agg(identity_id, ' ') FROM control.identity_merge) AS merges, (SELECT string_agg(a, ' ') FROM control.identity_hint) AS hints`,
      );
      expect(rows).toEqual([
        {
          people: "alias-3 alias-4 boss busy person-forgotten seen works",
          ...{ mails: "b c", merges: "alias-3", hints: "boss" },
        },
      ]);
      expect(await findBrokenInvariants(db)).toEqual([]);
    }));

  it("keeps the jobs of internal kinds while what they were for is open", () =>
    withDatabase(async (db) => {
      await db.query(
        `INSERT INTO public.jobs (job_type, status, completed_at)
         SELECT kind, 'failed', ${OLD} FROM unnest(ARRAY['runbook', 'notice', 'inbound', 'runbook', 'notice', 'inbound']) kind;
         INSERT INTO control.run (runbook, actor, role, door, content_hash, status, job_seq) VALUES ('r', 'a', 'b', 'c', 'h', 'queued', 1);
         INSERT INTO control.notice (receiver, dedup_key, action, severity, source, message, reason, job_seq)
         VALUES ('ops', 'k', 'trigger', 'sev3', 's', '{}', 'r', 2);
         INSERT INTO control.inbound (source, delivery_id, event_type, body, job_seq) VALUES ('slack', 'd', 'e', '{}', 3)`,
      );
      expect(await countExpired(db, "internal_jobs", BEFORE)).toBe(3);
      expect((await deleteExpired(db, "internal_jobs", BEFORE)).count).toBe(3);
      const { rows } = await db.query("SELECT seq FROM jobs ORDER BY seq");
      expect(rows).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
    }));

  it("of the audit log takes the oldest without a gap, and the chain of the rest holds", () =>
    withDatabase(async (db) => {
      const add = (target: string) =>
        appendAudit(db, { actor: "test", action: "thing.done", target });
      for (const target of ["a", "b", "c"]) await add(target);
      // As if the first two were written long ago, one hash after the other.
      await db.query(
        `ALTER TABLE audit_log DISABLE TRIGGER USER; UPDATE audit_log SET created_at = ${OLD} WHERE seq < 3;
         UPDATE audit_log l SET hash = control.audit_hash(prev_hash, seq, created_at, actor, action, target, details) WHERE seq = 1;
         UPDATE audit_log l SET prev_hash = (SELECT hash FROM audit_log p WHERE p.seq = l.seq - 1) WHERE seq = 2;
         UPDATE audit_log l SET hash = control.audit_hash(prev_hash, seq, created_at, actor, action, target, details) WHERE seq = 2;
         UPDATE audit_log l SET prev_hash = (SELECT hash FROM audit_log p WHERE p.seq = l.seq - 1) WHERE seq = 3;
         UPDATE audit_log l SET hash = control.audit_hash(prev_hash, seq, created_at, actor, action, target, details) WHERE seq = 3;
         UPDATE control.audit_head h SET hash = l.hash FROM audit_log l WHERE l.seq = 3;
         ALTER TABLE audit_log ENABLE TRIGGER USER`,
      );
      expect(await verifyAudit(db)).toMatchObject({ ok: true, entries: 3 });
      expect(await countExpired(db, "audit_log", BEFORE)).toBe(2);
      // Retention runs just when the audit job has read where the log begins.
      let isTaken = false;
      const racing: Sql = {
        query: async (text, values) => {
          const result = await db.query<never>(text, values);
          if (!isTaken) await db.transaction(takeOldest);
          isTaken = true;
          return result;
        },
      };
      expect(await verifyAudit(racing)).toEqual({ ok: true, entries: 1, brokenAt: null });
      await add("d");
      expect(await verifyAudit(db)).toEqual({ ok: true, entries: 2, brokenAt: null });
    }));
});

const LONG_WORK = [
  ...(["gc_previews", "export_runs", "backfills", "repair_records", "audit_findings"] as const),
  ...(["maintenance_reports", "github_pages", "github_permits"] as const),
];

/** By entity, what was counted and then deleted, `limit` rows a batch. */
async function takeAll(
  db: Database,
  entities: readonly Exclude<RetainedEntity, ExportedEntity>[],
  limit?: number,
): Promise<Record<string, number>> {
  const taken: Record<string, number> = {};
  for (const entity of entities) {
    const counted = await countExpired(db, entity, BEFORE);
    let deleted = 0;
    let from: string | null = null;
    for (let count = 1; count > 0; deleted += count) {
      const batch = await deleteExpired(db, entity, BEFORE, from, limit);
      [count, from] = [batch.count, batch.reached];
      if (entity === "identities") expect(await findBrokenInvariants(db)).toEqual([]);
    }
    expect(deleted, entity).toBe(counted);
    taken[entity] = deleted;
  }
  return taken;
}

async function takeOldest(tx: Sql): Promise<void> {
  const expired = await lockExpired(tx, "audit_log", BEFORE);
  expect(expired.map(({ seq }) => seq)).toEqual([1, 2]);
  await deleteExported(tx, "audit_log", [1, 2]);
}

/** Deletes all in batches; the plan is that of the second. */
async function deleteAll(db: Database): Promise<{ plan: string; tookMs: number }> {
  const startedAt = performance.now();
  let plan = "";
  let { reached } = await deleteExpired(db, "jobs", BEFORE);
  const explaining: Sql = {
    query: async (text, values) => {
      const { rows } = await db.query<Record<string, string>>(`EXPLAIN ${text}`, values);
      plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      return db.query(text, values);
    },
  };
  for (let sql: Sql = explaining, count = 1; count > 0; sql = db) {
    ({ count, reached } = await deleteExpired(sql, "jobs", BEFORE, reached));
  }
  return { plan, tookMs: performance.now() - startedAt };
}

describe("a hundred thousand expired jobs among as many that stay", () => {
  it("go by the index of their age, fast, and with an old snapshot held open too", () =>
    withDatabase(async (db, url) => {
      await db.query(
        `INSERT INTO public.jobs (job_type, status, completed_at)
         SELECT 'index', 'completed', ${OLD} + n * interval '1 s' FROM generate_series(1, 100000) n;
         INSERT INTO public.jobs (job_type, status, completed_at)
         SELECT 'index', 'completed', now() - n * interval '1 ms' FROM generate_series(1, 100000) n;
         ANALYZE public.jobs`,
      );
      const holder = openDatabase({ url, poolMax: 1, applicationName: "holder", ssl: false });
      try {
        await holder.connect(async (session) => {
          await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
          await session.query(
            "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT FROM public.jobs LIMIT 1",
          );
          const { plan, tookMs } = await deleteAll(db);
          expect(plan).toMatch(/Index Scan.*idx_jobs_completed_at/);
          expect(plan).not.toMatch(/Seq Scan on jobs/);
          // HB-wrk-07 asks for 1000 a minute.
          expect(tookMs).toBeLessThan(60_000);
        });
      } finally {
        await holder.close();
      }
      const { rows } = await db.query("SELECT count(*) AS count FROM jobs");
      expect(rows).toEqual([{ count: 100_000 }]);
    }));
});
