-- Events from outside: a row first, then the acknowledgement; acting happens later (design 3, decision 8).
CREATE TABLE control.inbound (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source      text NOT NULL CHECK (source IN ('slack', 'pagerduty', 'github')),
  -- Slack team/trigger_id, PagerDuty X-Webhook-Id, GitHub delivery GUID: a repeat changes nothing.
  delivery_id text NOT NULL,
  event_type  text NOT NULL,
  body        jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  status      text NOT NULL DEFAULT 'received' CHECK (status IN ('received', 'handled', 'ignored', 'refused')),
  outcome     text,
  handled_at  timestamptz,
  job_seq     bigint,
  UNIQUE (source, delivery_id)
);

CREATE TABLE control.run (
  id           text COLLATE "C" NOT NULL UNIQUE GENERATED ALWAYS AS ('run-' || seq::text) STORED,
  runbook      text NOT NULL,
  params       jsonb NOT NULL DEFAULT '{}',
  actor        text NOT NULL,
  role         text NOT NULL,
  door         text NOT NULL,
  reason       text,
  dry_run      boolean NOT NULL DEFAULT false,
  -- Pinned: the file that was asked for is the file that runs.
  content_hash text NOT NULL,
  status       text NOT NULL DEFAULT 'queued' CHECK
               (status IN ('queued', 'running', 'succeeded', 'failed', 'stalled', 'cancelled')),
  plan         jsonb,
  outcome      text,
  output       jsonb,
  automation   text,
  incident_id  text,
  alert_level  text,
  inbound_id   bigint,
  job_seq      bigint,
  -- Where the one living message is: {channel, ts}.
  chat         jsonb,
  fence        bigint NOT NULL DEFAULT 0,
  requested_at timestamptz NOT NULL DEFAULT now(),
  started_at   timestamptz,
  ended_at     timestamptz,
  seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
CREATE INDEX idx_run_requested_at ON control.run (requested_at DESC);
CREATE INDEX idx_run_automation ON control.run (automation, requested_at) WHERE automation IS NOT NULL;

-- Intent before, result after: an interrupted step without a result is indeterminate, never blindly repeated.
CREATE TABLE control.run_step (
  run_seq    bigint NOT NULL,
  phase      text NOT NULL CHECK (phase IN ('plan', 'act', 'verify', 'undo')),
  ordinal    integer NOT NULL,
  name       text NOT NULL,
  status     text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'indeterminate')),
  output     text NOT NULL DEFAULT '',
  result     jsonb,
  error      text,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at   timestamptz,
  PRIMARY KEY (run_seq, phase, ordinal)
);

-- Locks by target, not by runbook: fenced leases with a visible holder.
CREATE TABLE control.target_lock (
  target     text PRIMARY KEY,
  run_seq    bigint NOT NULL,
  fence      bigint NOT NULL DEFAULT 1,
  taken_at   timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
