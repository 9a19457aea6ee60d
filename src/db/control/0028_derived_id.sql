-- A job's text id is made of its number, which the primary key keeps unique: a second exact index said nothing new, and was
-- a seventh of what the server does for a job. What is looked up by hand is found by the ranges of a small one
-- (docs/decisions/0068-the-text-id-is-derived.md).

-- The previous version is at work meanwhile: no lock is waited for for longer than a moment.
DO $$
BEGIN
  LOOP
    BEGIN
      SET LOCAL lock_timeout = '500ms';
      LOCK TABLE public.jobs IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      PERFORM pg_sleep(0.05);
    END;
  END LOOP;
END $$;

-- A table of the operator's (006 onward) may refer to jobs by the text id: a foreign key needs the unique index, which stays then.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_constraint WHERE conindid = to_regclass('public.idx_jobs_id')) THEN RETURN; END IF;
  DROP INDEX IF EXISTS public.idx_jobs_id;
  CREATE INDEX idx_jobs_id ON public.jobs USING brin (id) WITH (pages_per_range = 32);
END $$;
