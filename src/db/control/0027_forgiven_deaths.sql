-- A person who sets an ended job back to pending vouches for it, by plain SQL too: deaths that it was charged with count
-- no more (docs/decisions/0022-who-is-charged-with-a-death.md). A trigger of its own: job_guard stays as older software knows it.

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

CREATE FUNCTION control.job_forgive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.crash_count := 0;
  RETURN NEW;
END $$;
-- Before job_guard, by its name: what plain SQL moves still has its old fence then.
CREATE TRIGGER job_forgive BEFORE UPDATE ON public.jobs FOR EACH ROW
  WHEN (NEW.fence = OLD.fence AND NEW.status = 'pending' AND OLD.crash_count > 0
        AND OLD.status IN ('failed', 'quarantined', 'cancelled'))
  EXECUTE FUNCTION control.job_forgive();
