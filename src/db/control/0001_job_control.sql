-- What the runtime needs on the handbook's tables: ownership, fencing, ordering, and the guard that makes
-- an operator's plain SQL safe at any moment (X-01, X-02, X-04, X-79).

ALTER TABLE public.jobs
  -- Grows by one with every move. Runtime statements grow it themselves; for plain SQL the guard does.
  ADD COLUMN fence bigint NOT NULL DEFAULT 0,
  ADD COLUMN worker_id text,
  ADD COLUMN started_at timestamptz,
  -- Attempts over the whole life, never reset (X-02).
  ADD COLUMN attempts_total integer NOT NULL DEFAULT 0,
  ADD COLUMN crash_count integer NOT NULL DEFAULT 0,
  ADD COLUMN result jsonb,
  -- While a job with this key is pending or running, no other may be enqueued.
  ADD COLUMN unique_key text,
  ADD COLUMN parent_seq bigint,
  ADD COLUMN requested_by text;

CREATE INDEX idx_jobs_runnable ON public.jobs (priority DESC, scheduled_at, seq) WHERE status = 'pending';
CREATE INDEX idx_jobs_running ON public.jobs (worker_id) WHERE status = 'running';
CREATE UNIQUE INDEX idx_jobs_unique_key ON public.jobs (unique_key)
  WHERE unique_key IS NOT NULL AND status IN ('pending', 'running');
CREATE INDEX idx_jobs_parent ON public.jobs (parent_seq) WHERE parent_seq IS NOT NULL;
ALTER TABLE public.jobs SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- One row, the head of the audit chain. Locking it serialises appends; its hash commits to all before.
CREATE TABLE control.audit_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  seq      bigint NOT NULL,
  hash     bytea NOT NULL
);
INSERT INTO control.audit_head (seq, hash) VALUES (0, '\x00');

-- What an entry commits to: every field, unambiguously, as canonical jsonb text.
CREATE FUNCTION control.audit_hash(prev bytea, seq bigint, at timestamptz, actor text, action text, target text, details jsonb)
RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(prev || convert_to(
    jsonb_build_array(seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), actor, action, target, details)::text,
    'UTF8'))
$$;

CREATE FUNCTION control.audit_append(actor text, action text, target text, details jsonb)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  head control.audit_head%ROWTYPE;
  at timestamptz;
  next_hash bytea;
BEGIN
  SELECT * INTO head FROM control.audit_head FOR UPDATE;
  at := clock_timestamp();
  next_hash := control.audit_hash(head.hash, head.seq + 1, at, actor, action, target, details);
  INSERT INTO public.audit_log (seq, created_at, actor, action, target, details, prev_hash, hash)
  VALUES (head.seq + 1, at, actor, action, target, details, head.hash, next_hash);
  UPDATE control.audit_head SET seq = head.seq + 1, hash = next_hash;
  RETURN head.seq + 1;
END $$;

CREATE FUNCTION control.audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_log is append only' USING HINT = 'Old entries leave by retention, whole and exported.';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE ON public.audit_log
  FOR EACH ROW EXECUTE FUNCTION control.audit_refuse_change();

-- Plain SQL does not know the fence, so a change of status or payload with an unchanged fence came from outside.
CREATE FUNCTION control.job_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'running' AND OLD.status <> 'running' THEN
    RAISE EXCEPTION 'only the runtime starts jobs: % cannot be set to running by hand', OLD.id
      USING HINT = 'Set status to pending, and a worker takes it.';
  END IF;
  NEW.fence := OLD.fence + 1;
  IF NEW.status = 'pending' THEN
    NEW.completed_at := NULL;
    NEW.worker_id := NULL;
    NEW.started_at := NULL;
  ELSIF NEW.status <> 'running' AND OLD.status IN ('pending', 'running') THEN
    NEW.completed_at := now();
    NEW.worker_id := NULL;
  END IF;
  PERFORM control.audit_append(
    'sql:' || session_user, 'job.changed-by-sql', OLD.id,
    jsonb_build_object(
      'application', current_setting('application_name'),
      'before', jsonb_build_object('status', OLD.status, 'attempts', OLD.attempts, 'error', OLD.error, 'payload', OLD.payload),
      'after', jsonb_build_object('status', NEW.status, 'attempts', NEW.attempts, 'error', NEW.error, 'payload', NEW.payload)));
  PERFORM pg_notify('algobrain_job', '');
  RETURN NEW;
END $$;
CREATE TRIGGER job_guard BEFORE UPDATE ON public.jobs FOR EACH ROW
  WHEN (NEW.fence = OLD.fence AND (NEW.status IS DISTINCT FROM OLD.status OR NEW.payload IS DISTINCT FROM OLD.payload))
  EXECUTE FUNCTION control.job_guard();

-- A hint for idle workers: equal notices of one transaction are one; polling remains the truth.
CREATE FUNCTION control.job_hint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('algobrain_job', '');
  RETURN NULL;
END $$;
CREATE TRIGGER job_hint AFTER INSERT ON public.jobs FOR EACH STATEMENT EXECUTE FUNCTION control.job_hint();

-- How a handler's act is undone, declared before the act (HB-heal-04).
CREATE TABLE control.compensation (
  job_seq    bigint NOT NULL,
  ordinal    integer NOT NULL,
  name       text NOT NULL,
  input      jsonb NOT NULL,
  done_at    timestamptz,
  PRIMARY KEY (job_seq, ordinal)
);

-- Leadership and other singletons: a lease with a fencing number that only grows.
CREATE TABLE control.lease (
  name       text PRIMARY KEY,
  holder     text NOT NULL,
  fence      bigint NOT NULL DEFAULT 1,
  expires_at timestamptz NOT NULL,
  beat_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE control.queue_pause (
  job_type   text PRIMARY KEY,
  reason     text NOT NULL,
  paused_by  text NOT NULL,
  paused_at  timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz
);

-- One row: is safe mode on, why, since when, by whom (X-13).
CREATE TABLE control.safe_mode (
  only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  active     boolean NOT NULL DEFAULT false,
  reason     text,
  entered_by text,
  entered_at timestamptz
);
INSERT INTO control.safe_mode DEFAULT VALUES;

-- When each schedule last enqueued, so that missed runs are known after downtime.
CREATE TABLE control.schedule_run (
  name        text PRIMARY KEY,
  last_due_at timestamptz NOT NULL,
  job_seq     bigint
);

-- Settles that came too late and changed nothing, counted by kind.
CREATE TABLE control.late_settle (
  job_type text PRIMARY KEY,
  count    bigint NOT NULL DEFAULT 0,
  last_at  timestamptz NOT NULL DEFAULT now()
);

-- The policy in force: published by the process that read it, loaded whole by the others.
CREATE TABLE control.policy_revision (
  revision   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  digest     text NOT NULL,
  bundle     jsonb NOT NULL,
  source     text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
