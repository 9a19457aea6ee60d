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

-- The claim's order, kind by kind: paused, capped or unserved kinds cost it nothing.
CREATE INDEX idx_jobs_runnable ON public.jobs (job_type, priority DESC, scheduled_at, seq) WHERE status = 'pending';
CREATE INDEX idx_jobs_running ON public.jobs (worker_id, job_type) WHERE status = 'running';
CREATE UNIQUE INDEX idx_jobs_unique_key ON public.jobs (unique_key)
  WHERE unique_key IS NOT NULL AND status IN ('pending', 'running');
CREATE INDEX idx_jobs_parent ON public.jobs (parent_seq) WHERE parent_seq IS NOT NULL;
ALTER TABLE public.jobs SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- One row: the head of the audit chain. Its hash commits to all entries before; locking it serialises appends.
CREATE TABLE control.audit_head (
  only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  seq       bigint NOT NULL,
  hash      bytea NOT NULL,
  -- The oldest entry that retention has left in place.
  kept_from bigint NOT NULL DEFAULT 1
);
INSERT INTO control.audit_head (seq, hash) VALUES (0, '\x00');

-- What an entry commits to: every field, unambiguously, as canonical jsonb text.
CREATE FUNCTION control.audit_hash(prev bytea, seq bigint, at timestamptz, actor text, action text, target text, details jsonb)
RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(prev || convert_to(
    jsonb_build_array(seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), actor, action, target, details)::text,
    'UTF8'))
$$;

-- Call it last in a transaction: the lock on the head is held until the end.
CREATE FUNCTION control.audit_append(actor text, action text, target text, details jsonb)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  head control.audit_head%ROWTYPE;
  tail public.audit_log%ROWTYPE;
  at timestamptz;
BEGIN
  SELECT * INTO head FROM control.audit_head FOR UPDATE;
  -- Within a transaction the log may be ahead of its head, which moves once, at the end: ten thousand
  -- entries of one statement must not leave ten thousand dead heads to step over.
  SELECT * INTO tail FROM public.audit_log l ORDER BY l.seq DESC LIMIT 1;
  IF tail.seq > head.seq THEN
    head.seq := tail.seq;
    head.hash := tail.hash;
  END IF;
  at := clock_timestamp();
  INSERT INTO public.audit_log (seq, created_at, actor, action, target, details, prev_hash, hash)
  VALUES (head.seq + 1, at, actor, action, target, details, head.hash,
          control.audit_hash(head.hash, head.seq + 1, at, actor, action, target, details));
  RETURN head.seq + 1;
END $$;

CREATE FUNCTION control.audit_move_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE control.audit_head h SET seq = tail.seq, hash = tail.hash
  FROM (SELECT l.seq, l.hash FROM public.audit_log l ORDER BY l.seq DESC LIMIT 1) tail
  WHERE h.seq < tail.seq;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_move_head AFTER INSERT ON public.audit_log
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.audit_move_head();

CREATE FUNCTION control.audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_log is append only' USING HINT = 'Old entries leave by retention, whole and exported.';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE ON public.audit_log
  FOR EACH ROW EXECUTE FUNCTION control.audit_refuse_change();

-- Plain SQL does not know the fence: a change of status or payload with an unchanged fence came from outside.
CREATE FUNCTION control.job_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'running' AND OLD.status <> 'running' THEN
    RAISE EXCEPTION 'only the runtime starts jobs: % cannot be set to running by hand', OLD.id
      USING HINT = 'Set status to pending, and a worker takes it.';
  END IF;
  -- A new payload under a running handler counts from the next attempt; this attempt stays its worker's.
  IF NEW.status = 'running' THEN
    RETURN NEW;
  END IF;
  -- By two, where the runtime adds one: that is how job_audit knows.
  NEW.fence := OLD.fence + 2;
  NEW.worker_id := NULL;
  IF NEW.status = 'pending' THEN
    NEW.completed_at := NULL;
    NEW.started_at := NULL;
    NEW.result := NULL;
    -- Its key may have gone to a younger job meanwhile: that must not make a mass reset fail.
    IF OLD.status <> 'running' AND EXISTS (
      SELECT FROM public.jobs other
      WHERE other.unique_key = NEW.unique_key AND other.status IN ('pending', 'running') AND other.seq <> NEW.seq)
    THEN
      NEW.unique_key := NULL;
    END IF;
  ELSIF NEW.completed_at IS NOT DISTINCT FROM OLD.completed_at
    AND (NEW.completed_at IS NULL OR OLD.status IN ('pending', 'running'))
  THEN
    NEW.completed_at := now();
  END IF;
  PERFORM pg_notify('algobrain_job', '');
  RETURN NEW;
END $$;
CREATE TRIGGER job_guard BEFORE UPDATE ON public.jobs FOR EACH ROW
  WHEN (NEW.fence = OLD.fence AND (NEW.status IS DISTINCT FROM OLD.status OR NEW.payload IS DISTINCT FROM OLD.payload))
  EXECUTE FUNCTION control.job_guard();

-- Who changed what by hand (X-02). Deferred to the commit, so that the head of the chain is locked after
-- all job rows and never between two of them: a mass reset and a retry cannot deadlock.
CREATE FUNCTION control.job_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM control.audit_append(
    'sql:' || session_user, 'job.changed-by-sql', OLD.id,
    jsonb_build_object(
      'application', current_setting('application_name'),
      'before', control.job_facts(OLD),
      'after', control.job_facts(NEW)));
  RETURN NULL;
END $$;
CREATE FUNCTION control.job_facts(job public.jobs) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'status', job.status, 'attempts', job.attempts, 'error', job.error, 'payload', job.payload,
    'priority', job.priority, 'scheduled_at', job.scheduled_at, 'completed_at', job.completed_at)
$$;
CREATE CONSTRAINT TRIGGER job_audit AFTER UPDATE ON public.jobs
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.fence = OLD.fence + 2 OR (NEW.fence = OLD.fence AND NEW.payload IS DISTINCT FROM OLD.payload))
  EXECUTE FUNCTION control.job_audit();

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
