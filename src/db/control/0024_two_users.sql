-- What only the owner of the tables may do and the runtime must (HB-aws-24): by functions that act as the owner.
-- The day after the last one that has a partition; null when all days from `today` to `days` after it have theirs.
CREATE FUNCTION control.next_sample_day(today timestamptz, days integer) RETURNS timestamp LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT start FROM (
    SELECT coalesce(
      max(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz) AT TIME ZONE 'UTC',
      date_trunc('day', today AT TIME ZONE 'UTC')) AS start
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'control.sample'::regclass
  ) AS next WHERE start <= date_trunc('day', today AT TIME ZONE 'UTC') + days * interval '1 day'
$$;
-- Its name, or null when there is none to make. Whoever may read the whole may read the part: a dump reads parts.
CREATE FUNCTION control.add_sample_day(today timestamptz, days integer) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE start timestamp; name text; low text; high text; reader text;
BEGIN
  IF coalesce(days, -1) NOT BETWEEN 0 AND 366 OR NOT coalesce(isfinite(today), false)
     OR today + days * interval '1 day' > clock_timestamp() + interval '400 days' THEN
    RAISE EXCEPTION 'found % days from %, expected 0 to 366 that end within 400 days from now', days, today USING ERRCODE = '22023';
  END IF;
  IF control.next_sample_day(today, days) IS NULL THEN RETURN NULL; END IF;
  LOCK TABLE control.sample_default IN ACCESS EXCLUSIVE MODE;
  -- Again, now that nobody else can be at it.
  start := control.next_sample_day(today, days);
  IF start IS NULL THEN RETURN NULL; END IF;
  name := 'control.sample_' || to_char(start, 'YYYYMMDD');
  low := to_char(start, 'YYYY-MM-DD') || ' 00:00+00';
  high := to_char(start + interval '1 day', 'YYYY-MM-DD') || ' 00:00+00';
  EXECUTE format('CREATE TABLE %s (LIKE control.sample INCLUDING ALL)', name);
  EXECUTE format('WITH moved AS (DELETE FROM control.sample_default WHERE at >= %L AND at < %L RETURNING *)
    INSERT INTO %s SELECT * FROM moved', low, high, name);
  EXECUTE format('ALTER TABLE control.sample ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', name, low, high);
  FOR reader IN SELECT DISTINCT a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'control.sample'::regclass AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (0, c.relowner)
  LOOP EXECUTE format('GRANT SELECT ON %s TO %s', name, reader); END LOOP;
  RETURN name;
END $$;
-- How many rows it held. Only what is a part of control.sample, and not the default one.
CREATE FUNCTION control.drop_sample_day(wanted text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE part regclass := to_regclass(wanted); rows bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'control.sample'::regclass AND c.oid = part AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT') THEN
    RAISE EXCEPTION 'found "%", expected a day of control.sample', left(wanted, 100) USING ERRCODE = '42P01';
  END IF;
  EXECUTE format('SELECT count(*) FROM %s', part) INTO rows;
  EXECUTE format('DROP TABLE %s', part);
  RETURN rows;
END $$;
-- What an interrupted rebuild left behind. One that is being built is locked: then it gives up after 2 s.
CREATE FUNCTION control.drop_leftover_index(wanted text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE index regclass := to_regclass(wanted);
BEGIN
  IF index IS NULL THEN RETURN; END IF;
  IF NOT EXISTS (SELECT FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = index AND NOT x.indisvalid AND n.nspname IN ('public', 'control') AND c.relname ~ '_cc(new|old)[0-9]*$') THEN
    RAISE EXCEPTION 'found "%", expected an invalid index that a rebuild left', left(wanted, 100) USING ERRCODE = '22023';
  END IF;
  EXECUTE format('DROP INDEX %s', index);
END $$;
REVOKE ALL ON FUNCTION control.add_sample_day(timestamptz, integer), control.drop_sample_day(text), control.drop_leftover_index(text) FROM PUBLIC;
