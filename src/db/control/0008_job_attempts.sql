-- What attempts at jobs had to tell: how far they came, what they logged, and why they failed. An attempt
-- that succeeds and says nothing has no row here.
CREATE TABLE control.job_attempt (
  job_seq        bigint NOT NULL,
  -- Of its claim. No two attempts share it, also after a reset that counts from 1 again: what a late
  -- attempt says stays its own.
  fence          bigint NOT NULL,
  attempt        integer NOT NULL,
  worker_id      text NOT NULL,
  started_at     timestamptz NOT NULL,
  ended_at       timestamptz,
  -- Null while it runs, and for ever when its worker died before it could say.
  outcome        text CHECK (outcome IN ('completed', 'failed', 'waiting', 'released', 'lost')),
  error_code     text,
  error          text,
  trace          text,
  progress       double precision CHECK (progress BETWEEN 0 AND 1),
  note           text,
  lines_left_out integer NOT NULL DEFAULT 0,
  PRIMARY KEY (job_seq, fence)
) WITH (fillfactor = 70); -- progress rewrites a row each second: the new version fits beside the old one

CREATE TABLE control.job_line (
  job_seq bigint NOT NULL,
  fence   bigint NOT NULL,
  ordinal bigint NOT NULL,
  at      timestamptz NOT NULL,
  level   text NOT NULL CHECK (level IN ('info', 'warn', 'error')),
  message text NOT NULL,
  PRIMARY KEY (job_seq, fence, ordinal)
);

-- How attempts ended, of all processes together and since the beginning: what a scraper counts.
CREATE TABLE control.job_tally (
  job_type text NOT NULL,
  outcome  text NOT NULL,
  count    bigint NOT NULL,
  -- Run time of completed ones: in all, and how many took so long at most, bound by bound.
  seconds  double precision NOT NULL DEFAULT 0,
  buckets  bigint[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (job_type, outcome)
) WITH (fillfactor = 50);
