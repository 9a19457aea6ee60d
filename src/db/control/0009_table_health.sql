-- All locks first, and none held while waiting for the next for longer than a moment: the previous version
-- is at work meanwhile, and its transactions take these tables in orders of their own.
DO $$
BEGIN
  LOOP
    BEGIN
      SET LOCAL lock_timeout = '500ms';
      LOCK TABLE public.jobs, control.run, control.inbound, control.notice IN SHARE ROW EXCLUSIVE MODE;
      LOCK TABLE control.sample IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      PERFORM pg_sleep(0.05);
    END;
  END LOOP;
END $$;

-- Samples come by the hundred thousand a day and go by age alone: a partition a day, dropped whole
-- (docs/decisions/0016). The name stays, so the previous version of the software writes on as before.
ALTER TABLE control.sample RENAME TO sample_before_days;
ALTER INDEX control.sample_pkey RENAME TO sample_before_days_pkey;
ALTER INDEX control.idx_sample_at RENAME TO idx_sample_before_days_at;

CREATE TABLE control.sample (
  series_id integer NOT NULL,
  at        timestamptz NOT NULL,
  value     double precision NOT NULL,
  PRIMARY KEY (series_id, at)
) PARTITION BY RANGE (at);
-- For a day that nobody has made yet: an insert never fails. Maintenance moves such rows where they belong.
CREATE TABLE control.sample_default PARTITION OF control.sample DEFAULT;

-- What is there is the first partition, as it stands: nothing is copied. It ends with tomorrow, by when
-- maintenance has made the days after it; what a wrong clock wrote beyond goes to the default.
DO $$
DECLARE
  day_after_tomorrow timestamptz := (date_trunc('day', now() AT TIME ZONE 'UTC') + interval '2 days') AT TIME ZONE 'UTC';
BEGIN
  WITH beyond AS (
    DELETE FROM control.sample_before_days WHERE at >= day_after_tomorrow RETURNING series_id, at, value
  )
  INSERT INTO control.sample (series_id, at, value) SELECT series_id, at, value FROM beyond;
  EXECUTE format('ALTER TABLE control.sample ATTACH PARTITION control.sample_before_days FOR VALUES FROM (MINVALUE) TO (%L)',
    day_after_tomorrow);
END $$;

-- By age, for retention: what is not ended is not in them.
CREATE INDEX idx_run_ended_at ON control.run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX idx_inbound_handled_at ON control.inbound (handled_at) WHERE handled_at IS NOT NULL;
CREATE INDEX idx_notice_created_at ON control.notice (created_at) WHERE status <> 'pending';
-- What is still open, by its job, which must not go before it.
CREATE INDEX idx_run_open ON control.run (job_seq) WHERE status IN ('queued', 'running');
CREATE INDEX idx_inbound_open ON control.inbound (job_seq) WHERE status = 'received';

-- What belongs to a job goes with it, whoever deletes it: retention, the previous version's too, or plain SQL.
CREATE FUNCTION control.job_forget() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  seqs bigint[] := ARRAY(SELECT seq FROM gone);
BEGIN
  DELETE FROM control.compensation WHERE job_seq = ANY (seqs);
  DELETE FROM control.job_line WHERE job_seq = ANY (seqs);
  DELETE FROM control.job_attempt WHERE job_seq = ANY (seqs);
  RETURN NULL;
END $$;
CREATE TRIGGER job_forget AFTER DELETE ON public.jobs
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION control.job_forget();
DELETE FROM control.compensation WHERE NOT EXISTS (SELECT FROM public.jobs WHERE jobs.seq = compensation.job_seq);
