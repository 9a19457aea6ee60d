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
