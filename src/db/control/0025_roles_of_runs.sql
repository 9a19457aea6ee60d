-- The roles of runs, made by the owner of the tables for a user who may create none: whoever may create roles may, before
-- PostgreSQL 16, also become the owner. Only names of this database; what they may do, the asker must have to give.
CREATE FUNCTION control.check_role_name(wanted text, kind text) RETURNS void LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF wanted IS NULL OR length(wanted) > 63 OR wanted !~ ('^algobrain_' || (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
     || '_' || kind || '$') THEN
    RAISE EXCEPTION 'found "%", expected the name of a role of this database: %', left(wanted, 100), kind USING ERRCODE = '22023';
  END IF;
END $$;
CREATE FUNCTION control.make_capability_role(wanted text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM control.check_role_name(wanted, 'cap_[a-z_]+_[0-9a-f]{8}');
  EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
END $$;
-- Times in milliseconds: of a statement, of a lock, and idle in a transaction.
CREATE FUNCTION control.make_run_role(wanted text, verifier text, until timestamptz, sessions integer, times integer[], capabilities text[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE capability text;
BEGIN
  PERFORM control.check_role_name(wanted, 'run_[0-9]+_[0-9]+');
  IF coalesce(verifier, '') !~ '^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' OR until IS NULL
     OR coalesce(sessions, 0) NOT BETWEEN 1 AND 10 OR cardinality(times) IS DISTINCT FROM 3 OR coalesce(cardinality(capabilities), 0) = 0 THEN
    RAISE EXCEPTION 'expected a SCRAM verifier, a time, 1 to 10 sessions, three times and a capability' USING ERRCODE = '22023';
  END IF;
  EXECUTE format('DROP ROLE IF EXISTS %I', wanted);
  EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L VALID UNTIL %L CONNECTION LIMIT %s', wanted, verifier, until, sessions);
  FOREACH capability IN ARRAY capabilities LOOP
    PERFORM control.check_role_name(capability, 'cap_[a-z_]+_[0-9a-f]{8}');
    EXECUTE format('GRANT %I TO %I', capability, wanted);
  END LOOP;
  EXECUTE format('ALTER ROLE %I SET statement_timeout = %s', wanted, times[1]);
  EXECUTE format('ALTER ROLE %I SET lock_timeout = %s', wanted, times[2]);
  EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %s', wanted, times[3]);
END $$;
-- For a server that has no session left to give: the asker may then act as it.
CREATE FUNCTION control.lend_run_role(wanted text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM control.check_role_name(wanted, 'run_[0-9]+_[0-9]+');
  EXECUTE format('GRANT %I TO %I', wanted, session_user);
END $$;
-- Of a run of this database, or whatever is left of a database that is gone.
CREATE FUNCTION control.drop_run_role(wanted text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE named text[] := regexp_match(wanted, '^algobrain_([0-9]{1,10})_(run_[0-9]+_[0-9]+|cap_[a-z_]+_[0-9a-f]{8})$');
BEGIN
  IF named IS NULL OR EXISTS (SELECT FROM pg_database d WHERE d.oid::bigint = named[1]::bigint) THEN
    PERFORM control.check_role_name(wanted, 'run_[0-9]+_[0-9]+');
  END IF;
  EXECUTE format('DROP ROLE IF EXISTS %I', wanted);
END $$;
REVOKE ALL ON FUNCTION control.make_capability_role(text), control.make_run_role(text, text, timestamptz, integer, integer[], text[]),
  control.lend_run_role(text), control.drop_run_role(text) FROM PUBLIC;
