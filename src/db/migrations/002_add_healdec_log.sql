-- One row an action of the healing engine (HB-db-10, HB-heal-07). No foreign key: the log outlives its jobs (X-07).
CREATE TABLE healdec_log (
  id                text COLLATE "C" NOT NULL GENERATED ALWAYS AS ('log-' || seq::text) STORED,
  job_id            text NOT NULL,
  worker_id         text,
  failure_type      text NOT NULL
                    CHECK (failure_type IN ('transient', 'crash', 'data', 'partial', 'critical')),
  strategy          text NOT NULL
                    CHECK (strategy IN ('retry', 'restart', 'quarantine', 'rollback', 'escalate')),
  attempt_number    integer NOT NULL,
  -- Null until the outcome is known (X-17).
  success           boolean,
  context           jsonb NOT NULL DEFAULT '{}',
  operator_notified boolean NOT NULL DEFAULT false,
  created_at        timestamptz NOT NULL DEFAULT now(),
  seq               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
