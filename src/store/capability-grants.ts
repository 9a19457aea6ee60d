/**
 * What each capability of a runbook is in rights of the database: the narrowest that its statements need, and
 * columns where whole tables would be too much. Whoever may not read here what it reads fails with 42501.
 */
import type { Capability } from "../runbook/power.js";

/**
 * What every run may read: the runtime as `RuntimeReader` shows it. And it may call what every run calls:
 * `hold_run` before it writes, `audit_append` after (their tables are out of its reach).
 */
const READING: readonly string[] = [
  "USAGE ON SCHEMA public, control",
  "SELECT ON public.jobs, public.healdec_log, public.workers, public.audit_log",
  "SELECT ON control.job_attempt, control.job_line, control.queue_pause, control.safe_mode, control.dependency",
  "SELECT ON control.incident, control.incident_role",
  "EXECUTE ON FUNCTION control.hold_run(bigint, bigint)",
  "EXECUTE ON FUNCTION control.audit_append(text, text, text, jsonb)",
];

/** What people are told is a row of the outbox and a job that sends it, in the transaction of what it speaks of. */
const TELLING: readonly string[] = [
  "SELECT, INSERT, UPDATE (job_seq) ON control.notice",
  "INSERT ON public.jobs",
];

/** What the platform works on, for counts and for the checks of its invariants. */
const WORK: readonly string[] = [
  "SELECT ON public.repos, public.identities, public.claims, public.scores, public.events",
];

/** Every table that grows old, but for those that every run may read. */
const RETAINED = `SELECT ON control.run, control.run_step, control.notice, control.inbound, control.alert_event,
  control.silence, control.sample, control.sample_round, control.sample_chunk, control.policy_revision, control.policy_bundle,
  control.policy_refusal, control.policy_process, control.policy_override, control.config_change, control.revoked_token,
  control.unique_hold, control.audit_head, control.gc_preview, control.export_run, control.export_part, control.backfill,
  control.repair_record, control.audit_finding, control.maintenance_report, control.github_page, control.github_permit,
  control.identity_merge, control.identity_hint`;

interface Grants {
  readonly reads?: readonly string[];
  /** Not for dry runs, nor for runbooks that only read. */
  readonly changes?: readonly string[];
}

const CAPABILITY_GRANTS: Readonly<Record<Capability, Grants>> = {
  "jobs:read": {},
  "jobs:submit": {
    changes: [
      "INSERT ON public.jobs",
      "USAGE ON SEQUENCE public.jobs_seq_seq",
      "SELECT, INSERT, UPDATE ON control.unique_hold",
    ],
  },
  "jobs:retry": {
    changes: [
      `UPDATE (status, attempts, crash_count, error, result, completed_at, worker_id, started_at, fence, scheduled_at, unique_key)
         ON public.jobs`,
    ],
  },
  "jobs:cancel": {
    changes: ["UPDATE (status, error, completed_at, worker_id, fence) ON public.jobs"],
  },
  // To take a correction back is to quarantine the job again.
  "jobs:correct": {
    changes: ["UPDATE (payload, status, error, completed_at, fence) ON public.jobs"],
  },
  "jobs:prioritize": { changes: ["UPDATE (priority) ON public.jobs"] },
  "queues:pause": { changes: ["INSERT, UPDATE, DELETE ON control.queue_pause"] },
  "sessions:read": { reads: ["EXECUTE ON FUNCTION control.list_sessions()"] },
  "sessions:end": {
    changes: ["EXECUTE ON FUNCTION control.end_session(integer, timestamptz, timestamptz, text)"],
  },
  "tables:read": {
    reads: [
      ...WORK,
      "SELECT ON control.migration, public.migrations, control.run, control.run_step, control.notice, control.inbound",
    ],
  },
  "workload:read": {
    reads: [...WORK, "SELECT ON control.repo_source, control.backfill, control.audit_finding"],
  },
  // What is old enough to go, counted by the predicate that deletes.
  "retention:read": { reads: [...WORK, RETAINED] },
  "database:dump": {
    reads: [
      "SELECT ON ALL TABLES IN SCHEMA public, control",
      "SELECT ON ALL SEQUENCES IN SCHEMA public, control",
    ],
  },
  // The new database is made and filled by the executor itself; the run compares.
  "database:restore": { reads: [...WORK, "SELECT ON control.migration, public.migrations"] },
  // Another user's own connection changes them; the run's role only shows that it may ask for that.
  "database:users": {},
  "safe-mode:exit": {
    reads: WORK,
    changes: [...TELLING, "UPDATE (active, reason, entered_by, entered_at) ON control.safe_mode"],
  },
  "breakers:reset": { changes: [...TELLING, "INSERT, UPDATE ON control.dependency"] },
  "incidents:write": {
    changes: [
      "INSERT, UPDATE ON control.incident",
      "SELECT, INSERT, UPDATE ON control.incident_day",
    ],
  },
  "system:temporary": {
    reads: ["SELECT ON control.temporary_change"],
    changes: ["INSERT, UPDATE (ended_at, end_reason) ON control.temporary_change"],
  },
};

/** A database may be closed to all but those who are named. */
const CONNECT = (role: string) =>
  `DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO ${role}', current_database()); END $$`;

/** A backup that was restored without its rights would leave these to everybody. */
const NOT_FOR_ALL = `REVOKE ALL ON FUNCTION control.list_sessions(),
  control.end_session(integer, timestamptz, timestamptz, text) FROM PUBLIC`;

/** `reading`: what changes nothing of it. */
export type Extent = "whole" | "reading";

/** What gives a capability to a role. The role's name must be safe in a statement. */
export function grantStatements(capability: Capability, extent: Extent, role: string): string {
  const { reads = [], changes = [] } = CAPABILITY_GRANTS[capability];
  const granted = [...READING, ...reads, ...(extent === "whole" ? changes : [])];
  const grants = granted.map((it) => `GRANT ${it} TO ${role}`);
  // Partitions of tomorrow are not there yet.
  if (capability === "database:dump")
    grants.push(
      `ALTER DEFAULT PRIVILEGES IN SCHEMA public, control GRANT SELECT ON TABLES TO ${role}`,
    );
  return [...grants, CONNECT(role), NOT_FOR_ALL].join(";\n");
}
