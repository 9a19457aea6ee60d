-- Samples, alert state, notices. One series row a label set; samples are narrow.
CREATE TABLE control.series (
  id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  metric text NOT NULL,
  labels jsonb NOT NULL DEFAULT '{}',
  UNIQUE (metric, labels)
);
CREATE TABLE control.sample (
  series_id integer NOT NULL,
  at        timestamptz NOT NULL,
  value     double precision NOT NULL,
  PRIMARY KEY (series_id, at)
);
CREATE INDEX idx_sample_at ON control.sample USING brin (at);

-- One row an instance of a rule: the whole state of the pure step function, always restored.
CREATE TABLE control.alert_state (
  rule       text NOT NULL,
  instance   text NOT NULL,
  state      jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (rule, instance)
);
-- Every transition, with the value that caused it.
CREATE TABLE control.alert_event (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  rule       text NOT NULL,
  level      text,
  instance   text NOT NULL,
  severity   text,
  transition text NOT NULL,
  value      double precision,
  at         timestamptz NOT NULL
);
CREATE INDEX idx_alert_event_at ON control.alert_event (at DESC);

-- The outbox: at least once, stable keys, back-off, dead letters shown.
CREATE TABLE control.notice (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  receiver     text NOT NULL,
  dedup_key    text NOT NULL,
  action       text NOT NULL CHECK (action IN ('trigger', 'resolve')),
  severity     text NOT NULL,
  source       text NOT NULL,
  message      jsonb NOT NULL,
  details      jsonb NOT NULL DEFAULT '{}',
  -- Why we speak, by name (first-notification, repeat-interval-elapsed, …).
  reason       text NOT NULL,
  status       text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'dead')),
  attempts     integer NOT NULL DEFAULT 0,
  last_error   text,
  reference    text,
  job_seq      bigint,
  created_at   timestamptz NOT NULL DEFAULT now(),
  sent_at      timestamptz
);
CREATE INDEX idx_notice_open ON control.notice (created_at) WHERE status <> 'sent';
CREATE INDEX idx_notice_dedup ON control.notice (receiver, dedup_key, created_at DESC);
