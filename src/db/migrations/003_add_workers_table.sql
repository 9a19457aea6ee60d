-- One row a worker process (HB-db-13). Ids read <lane>-worker-<process number>.
CREATE TABLE workers (
  id             text PRIMARY KEY CHECK (id ~ '^[a-z]+-worker-[0-9]+$'),
  process_number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  kinds          text[] NOT NULL DEFAULT '{}',
  status         text NOT NULL DEFAULT 'alive' CHECK (status IN ('alive', 'draining', 'stopped', 'dead')),
  hostname       text,
  pid            integer,
  started_at     timestamptz NOT NULL DEFAULT now(),
  last_heartbeat timestamptz NOT NULL DEFAULT now(),
  stopped_at     timestamptz
);
