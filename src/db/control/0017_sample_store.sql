-- One collection round of one source: a row, not a row a sample. Slots lie on the grid of 15 s; pushed rounds where they were pushed.
CREATE TABLE control.sample_round (
  slot       timestamptz NOT NULL,
  source     text NOT NULL,                                  -- leader, api@host, push/<subject>
  series_ids integer[] NOT NULL,
  values     double precision[] NOT NULL,
  PRIMARY KEY (slot, source),
  CHECK (cardinality(series_ids) = cardinality(values))
);
-- A series' UTC day, compressed by alert/chunk. Times and the last value stand beside it, so that "the newest" reads no data.
CREATE TABLE control.sample_chunk (
  series_id  integer NOT NULL,
  day        date NOT NULL,
  from_at    timestamptz NOT NULL,
  to_at      timestamptz NOT NULL,
  samples    integer NOT NULL,
  last_value double precision NOT NULL,
  data       bytea NOT NULL,
  PRIMARY KEY (series_id, day)
) WITH (fillfactor = 85);
ALTER TABLE control.sample_chunk ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX idx_sample_chunk_day ON control.sample_chunk (day);
-- What the cap refused: told, and never grown without end.
CREATE TABLE control.sample_refusal (
  metric text PRIMARY KEY, refused bigint NOT NULL DEFAULT 0,
  reason text NOT NULL,                                      -- series-max, per-metric-max, unknown-metric, unknown-label
  example jsonb NOT NULL, first_at timestamptz NOT NULL DEFAULT now(), last_at timestamptz NOT NULL DEFAULT now()
);
-- The watchdogs' view: written with what it speaks of, three small rows for ever.
CREATE TABLE control.sign_of_life (name text PRIMARY KEY, at timestamptz NOT NULL) WITH (fillfactor = 50);
-- When rules of one interval were last judged, in the transaction that stored the outcome.
CREATE TABLE control.alert_clock (every_ms integer PRIMARY KEY, tick_at timestamptz NOT NULL) WITH (fillfactor = 50);
ALTER TABLE control.alert_state SET (fillfactor = 70);

-- Makes the series that are new, one writer at a time, and answers with the label sets that it refused (policy monitoring.samples).
CREATE FUNCTION control.admit_series(new_metrics text[], new_labels jsonb[], series_max integer, per_metric_max integer)
RETURNS TABLE (refused_metric text, refused_labels jsonb, refused_for text) LANGUAGE plpgsql AS $$
BEGIN
  -- The next statement sees what was committed while this one waited: so the count holds.
  PERFORM pg_advisory_xact_lock(hashtext('control.series'));
  RETURN QUERY
  WITH wanted AS (
    SELECT DISTINCT g.metric, g.labels FROM unnest(new_metrics, new_labels) AS g (metric, labels)
    WHERE NOT EXISTS (SELECT FROM control.series s WHERE s.metric = g.metric AND s.labels = g.labels)
  ), of_metric AS (
    SELECT w.metric, w.labels, row_number() OVER (PARTITION BY w.metric ORDER BY w.labels)
      + (SELECT count(*) FROM control.series s WHERE s.metric = w.metric) AS place
    FROM wanted w
  ), of_all AS (
    SELECT m.metric, m.labels, row_number() OVER (ORDER BY m.metric, m.labels)
      + (SELECT count(*) FROM control.series) AS place
    FROM of_metric m WHERE m.place <= per_metric_max
  ), made AS (
    INSERT INTO control.series (metric, labels) SELECT a.metric, a.labels FROM of_all a WHERE a.place <= series_max
    -- The version before makes series without asking.
    ON CONFLICT DO NOTHING
  )
  SELECT m.metric, m.labels, 'per-metric-max' FROM of_metric m WHERE m.place > per_metric_max
  UNION ALL SELECT a.metric, a.labels, 'series-max' FROM of_all a WHERE a.place > series_max;
END $$;

-- Jobs that were asked for, by kind, counted a minute later so that what commits late is in: `until` says how far.
CREATE TABLE control.job_arrival (
  job_type text PRIMARY KEY,
  arrived  bigint NOT NULL,
  until    timestamptz NOT NULL
) WITH (fillfactor = 50);
