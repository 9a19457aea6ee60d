-- Appending to the chain is everybody's; writing to its tables is nobody's (X-68): the functions act as their owner.
ALTER FUNCTION control.audit_append(text, text, text, jsonb) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION control.audit_move_head() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION control.job_audit() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
-- Raises RUN01 unless the run runs under this fence and holds all its targets. Call it first in every writing transaction of a run.
CREATE FUNCTION control.hold_run(run bigint, held_fence bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM control.run r WHERE r.seq = run AND r.fence = held_fence AND r.status = 'running' FOR KEY SHARE;
  IF NOT FOUND THEN RAISE EXCEPTION 'run-% is not held under fence %', run, held_fence USING ERRCODE = 'RUN01'; END IF;
  IF EXISTS (SELECT FROM control.run r, unnest(r.targets) AS t(target) WHERE r.seq = run AND NOT EXISTS (
       SELECT FROM control.target_lock l WHERE l.target = t.target AND l.run_seq = run AND l.expires_at > clock_timestamp()))
  THEN RAISE EXCEPTION 'run-% no longer holds its targets', run USING ERRCODE = 'RUN01'; END IF;
  IF (SELECT s.active FROM control.stop_switch s) THEN
    RAISE EXCEPTION 'the stop switch is on' USING ERRCODE = 'RUN02'; END IF;
END $$;
-- Sessions of this database and of our own programs, never replication, never another's, never the asker's (X-35).
CREATE FUNCTION control.list_sessions() RETURNS TABLE (pid integer, started timestamptz, query_at timestamptz, application text, user_name text, state text,
  state_ms bigint, statement_ms bigint, transaction_ms bigint, wait text, statement text, ours boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.pid, a.backend_start, a.query_start, a.application_name, a.usename::text, a.state,
    (extract(epoch FROM clock_timestamp() - a.state_change) * 1000)::bigint,
    CASE WHEN a.state = 'active' THEN (extract(epoch FROM clock_timestamp() - a.query_start) * 1000)::bigint END,
    (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::bigint,
    a.wait_event_type || '/' || a.wait_event, left(a.query, 500), coalesce(a.application_name LIKE 'algobrain-%', false)
  FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
$$;
-- 'gone', 'ended', 'changed' (another backend has that pid, or it does something else by now), 'protected'.
CREATE FUNCTION control.end_session(wanted integer, seen_start timestamptz, seen_query timestamptz, how text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a pg_stat_activity%ROWTYPE;
BEGIN
  SELECT * INTO a FROM pg_stat_activity WHERE pid = wanted;
  IF NOT FOUND THEN RETURN 'gone'; END IF;
  IF a.datname IS DISTINCT FROM current_database() OR a.backend_type IS DISTINCT FROM 'client backend' OR a.pid = pg_backend_pid()
     OR coalesce(a.application_name, '') NOT LIKE 'algobrain-%' OR a.application_name ~ '^algobrain-(listener|heartbeat|executor|run|worker-executor|backup|migrate)' THEN RETURN 'protected'; END IF;
  -- Who looked may know of milliseconds only.
  IF date_trunc('milliseconds', a.backend_start) IS DISTINCT FROM date_trunc('milliseconds', seen_start)
     OR (seen_query IS NOT NULL AND date_trunc('milliseconds', a.query_start) IS DISTINCT FROM date_trunc('milliseconds', seen_query))
  THEN RETURN 'changed'; END IF;
  IF how = 'cancel' THEN PERFORM pg_cancel_backend(wanted);
  ELSIF how = 'terminate' THEN PERFORM pg_terminate_backend(wanted);
  ELSE RAISE EXCEPTION 'how is cancel or terminate, not %', how; END IF;
  RETURN 'ended';
END $$;
REVOKE ALL ON FUNCTION control.end_session(integer, timestamptz, timestamptz, text), control.list_sessions() FROM PUBLIC;
