-- The engine that claims many and settles many (docs/decisions/0020-one-ordered-index-of-runnable-rows.md).

-- All locks first, and none held while waiting for the next for longer than a moment: the previous version
-- is at work meanwhile, and its transactions take these tables in orders of their own.
DO $$
BEGIN
  LOOP
    BEGIN
      SET LOCAL lock_timeout = '500ms';
      LOCK TABLE public.jobs, public.workers IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      PERFORM pg_sleep(0.05);
    END;
  END LOOP;
END $$;

-- The claim's order is this index: one priority level is worth ten minutes of waiting, so that nothing
-- starves (X-63). scheduled_at stands in it so that rows which are not due yet are passed over inside it.
CREATE INDEX idx_jobs_due ON public.jobs
  (job_type, (date_part('epoch', scheduled_at - timestamptz '2000-01-01 00:00:00+00') - 600 * priority), scheduled_at, seq)
  WHERE status = 'pending';
DROP INDEX public.idx_jobs_runnable;

-- Few rows at any time, in the order of the key: what settles, counts and recovers running jobs reads this one.
-- By worker it misled the planner, which then walked all rows of a worker for each batch.
CREATE INDEX idx_jobs_held ON public.jobs (seq) WHERE status = 'running';
DROP INDEX public.idx_jobs_running;

ALTER TABLE public.workers
  -- 2: takes capacity from control.capacity before it claims. Older software leaves the default.
  ADD COLUMN engine smallint NOT NULL DEFAULT 1,
  -- Machine, process namespace, process and its start: whoever shares the machine can see that it is gone.
  ADD COLUMN process_key text,
  -- Jobs whose handler had started, as of the last beat: evidence when the process dies.
  ADD COLUMN started_jobs bigint[];

-- Room under a limit over all processes (X-09), held by one of them. Taken before jobs are claimed, given
-- back when it is not needed: so a claim neither counts rows nor waits for other claims.
CREATE TABLE control.capacity (
  worker_id text NOT NULL,
  -- A job type, or '*' for all public types together (HB-env-10).
  scope     text NOT NULL,
  granted   integer NOT NULL CHECK (granted >= 0),
  PRIMARY KEY (worker_id, scope)
);

-- Starts that a type may still make (rateLimit in workers.yaml). One row a limited type.
CREATE TABLE control.rate_bucket (
  job_type   text PRIMARY KEY,
  tokens     double precision NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Keys that stay taken for a time, whatever becomes of their job.
CREATE TABLE control.unique_hold (
  unique_key text PRIMARY KEY,
  job_seq    bigint NOT NULL,
  until      timestamptz NOT NULL
);
CREATE INDEX idx_unique_hold_until ON control.unique_hold (until);

-- One round trip: what a worker may hold in each scope from now on. The lock is the one that older software takes
-- around its claims, and what that software runs is counted from the jobs, for it takes no capacity.
CREATE FUNCTION control.take_capacity(taker text, scopes text[], caps integer[], held integer[], wanted integer[], exempt text[])
RETURNS TABLE (scope text, granted integer) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7205759404);
  -- What was asked for by a process that is dead by now would be nobody's for ever.
  PERFORM FROM public.workers w WHERE w.id = taker AND w.status IN ('alive', 'draining') FOR SHARE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH older AS (
    SELECT j.job_type, count(*)::integer AS running
    FROM public.jobs j JOIN public.workers w ON w.id = j.worker_id
    WHERE j.status = 'running' AND w.engine = 1
    GROUP BY j.job_type
  ), asked AS (
    SELECT a.scope, a.cap, a.held, a.wanted,
      (SELECT coalesce(sum(c.granted), 0) FROM control.capacity c WHERE c.scope = a.scope AND c.worker_id <> taker)
      + (SELECT coalesce(sum(o.running), 0) FROM older o
         WHERE o.job_type = a.scope OR (a.scope = '*' AND o.job_type <> ALL (exempt))) AS others
    FROM unnest(scopes, caps, held, wanted) AS a(scope, cap, held, wanted)
  )
  INSERT INTO control.capacity AS c (worker_id, scope, granted)
  -- What is held is held, also when the limit has been lowered meanwhile.
  SELECT taker, a.scope, greatest(a.held, least(a.wanted, a.cap - a.others))::integer FROM asked a ORDER BY a.scope
  ON CONFLICT ON CONSTRAINT capacity_pkey DO UPDATE SET granted = excluded.granted
  RETURNING c.scope, c.granted;
END $$;

-- Up to so many starts of a type, refilled evenly with time up to `burst`. Rows of one type wait for each other.
CREATE FUNCTION control.take_rate(kind text, burst integer, per_ms double precision, wanted integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  bucket control.rate_bucket%ROWTYPE;
  full_now double precision;
  taken integer;
BEGIN
  INSERT INTO control.rate_bucket (job_type, tokens) VALUES (kind, burst) ON CONFLICT DO NOTHING;
  SELECT * INTO bucket FROM control.rate_bucket WHERE job_type = kind FOR UPDATE;
  full_now := least(burst, bucket.tokens
    + greatest(0, extract(epoch FROM clock_timestamp() - bucket.updated_at)) * 1000 * burst / per_ms);
  taken := greatest(0, least(wanted, floor(full_now)::integer));
  UPDATE control.rate_bucket SET tokens = full_now - taken, updated_at = clock_timestamp() WHERE job_type = kind;
  RETURN taken;
END $$;
