-- The handbook's tables (HB-db-03…08, -11, -12, -14…16). Frozen: later columns are added in src/db/control.

-- A job's key is the number seq; the text id that people type is derived from it.
CREATE TABLE jobs (
  id           text COLLATE "C" NOT NULL GENERATED ALWAYS AS ('job-' || seq::text) STORED,
  job_type     text NOT NULL,
  payload      jsonb NOT NULL DEFAULT '{}',
  status       text NOT NULL DEFAULT 'pending'
               CONSTRAINT jobs_status_known CHECK
               (status IN ('pending', 'running', 'completed', 'failed', 'quarantined', 'cancelled')),
  priority     integer NOT NULL DEFAULT 5,
  attempts     integer NOT NULL DEFAULT 0,
  error        text,
  scheduled_at timestamptz NOT NULL DEFAULT now(),
  created_at   timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);

CREATE TABLE repos (
  id             text PRIMARY KEY,
  name           text NOT NULL,
  archived       boolean NOT NULL DEFAULT false,
  org            text,
  location       text,
  default_branch text,
  head_commit    text,
  indexed_at     timestamptz,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE identities (
  id            text PRIMARY KEY DEFAULT gen_random_uuid()::text,
  name          text,
  email         text,
  kind          text NOT NULL DEFAULT 'human' CHECK (kind IN ('human', 'bot')),
  merged_into   text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);

-- No foreign key to identities on purpose: orphans are a state that cleanup_orphaned_claims repairs.
CREATE TABLE claims (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  identity_id   text NOT NULL,
  repo_id       text,
  kind          text NOT NULL DEFAULT 'author',
  name          text,
  email         text,
  commit_count  integer NOT NULL DEFAULT 0,
  first_seen_at timestamptz,
  last_seen_at  timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE scores (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  repo_id     text NOT NULL,
  score       numeric NOT NULL,
  computed_at timestamptz NOT NULL DEFAULT now(),
  parts       jsonb NOT NULL DEFAULT '{}',
  formula     text,
  commit      text
);

CREATE TABLE events (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery_id text UNIQUE,
  source      text NOT NULL DEFAULT 'github',
  event_type  text NOT NULL,
  repo_id     text,
  payload     jsonb NOT NULL DEFAULT '{}',
  occurred_at timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now()
);

-- Append only and hash-chained: written through control.audit_append alone.
CREATE TABLE audit_log (
  seq         bigint PRIMARY KEY,
  created_at  timestamptz NOT NULL,
  actor       text NOT NULL,
  action      text NOT NULL,
  target      text NOT NULL,
  details     jsonb NOT NULL DEFAULT '{}',
  prev_hash   bytea NOT NULL,
  hash        bytea NOT NULL
);
