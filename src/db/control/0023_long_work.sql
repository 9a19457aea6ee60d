-- What long work has promised and how far it came: each row moves in the transaction of the work itself.
CREATE TABLE control.gc_preview (
  job_seq bigint NOT NULL, entity text NOT NULL, before timestamptz NOT NULL, rows bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (job_seq, entity)
);
CREATE TABLE control.export_run (
  job_seq bigint PRIMARY KEY, entity text NOT NULL, format text NOT NULL, target text NOT NULL, name text NOT NULL,
  since timestamptz, until timestamptz, from_key bigint NOT NULL, max_key bigint NOT NULL, chunk_bytes bigint NOT NULL,
  upload_id text, as_of timestamptz NOT NULL, ended_at timestamptz
);
CREATE TABLE control.export_part (
  job_seq bigint NOT NULL, number integer NOT NULL, after_key bigint NOT NULL, last_key bigint NOT NULL,
  rows bigint NOT NULL, bytes bigint NOT NULL, sha256 text NOT NULL, etag text, PRIMARY KEY (job_seq, number)
);
CREATE TABLE control.backfill (
  job_seq bigint PRIMARY KEY, entity text NOT NULL, first_day date NOT NULL, last_day date NOT NULL,
  at_repo text NOT NULL DEFAULT '', at_day date,             -- where the next batch begins
  planned bigint NOT NULL DEFAULT 0, enqueued bigint NOT NULL DEFAULT 0, finished_at timestamptz
);
CREATE TABLE control.audit_finding (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, invariant text NOT NULL,
  first_seen timestamptz NOT NULL, last_seen timestamptz NOT NULL,
  count bigint NOT NULL, examples jsonb NOT NULL, resolved_at timestamptz
);
CREATE UNIQUE INDEX idx_audit_finding_open ON control.audit_finding (invariant) WHERE resolved_at IS NULL;
CREATE TABLE control.maintenance_report (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, at timestamptz NOT NULL,
  ok boolean NOT NULL, facts jsonb NOT NULL
);
CREATE INDEX idx_maintenance_report_kind ON control.maintenance_report (kind, at);
