-- A rollback that its worker's death interrupted is finished before the handler runs again
-- (docs/decisions/0069-a-rollback-is-finished-first.md).

-- The previous version is at work meanwhile: no lock is waited for for longer than a moment.
DO $$
BEGIN
  LOOP
    BEGIN
      SET LOCAL lock_timeout = '500ms';
      LOCK TABLE public.jobs IN SHARE ROW EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      PERFORM pg_sleep(0.05);
    END;
  END LOOP;
END $$;

-- Jobs whose compensations have begun to run, and why: from before the first one until the job has its outcome.
CREATE TABLE control.rollback (
  job_seq    bigint PRIMARY KEY,
  fault_kind text NOT NULL,
  code       text NOT NULL,
  message    text NOT NULL,
  begun_at   timestamptz NOT NULL DEFAULT now()
);

-- Software of before knows nothing of it and would run the handler: it does not get such a job. The condition spares
-- whatever is claimed for the first time.
CREATE FUNCTION control.job_rollback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM control.rollback r WHERE r.job_seq = NEW.seq)
    AND EXISTS (SELECT FROM public.workers w WHERE w.id = NEW.worker_id AND w.engine < 3)
  THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER job_rollback BEFORE UPDATE ON public.jobs FOR EACH ROW
  WHEN (OLD.fence > 1 AND OLD.status = 'pending' AND NEW.status = 'running')
  EXECUTE FUNCTION control.job_rollback();

CREATE OR REPLACE FUNCTION control.job_forget() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  seqs bigint[] := ARRAY(SELECT seq FROM gone);
BEGIN
  DELETE FROM control.compensation WHERE job_seq = ANY (seqs);
  DELETE FROM control.rollback WHERE job_seq = ANY (seqs);
  DELETE FROM control.job_line WHERE job_seq = ANY (seqs);
  DELETE FROM control.job_attempt WHERE job_seq = ANY (seqs);
  RETURN NULL;
END $$;
