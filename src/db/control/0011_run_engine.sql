-- A run outlives its executor and is bound to what people saw. Additive: the previous version ignores all of it.
ALTER TABLE control.run
  ADD COLUMN commit_id      text,
  ADD COLUMN lease_until    timestamptz,                     -- null: begun by the previous version, which keeps none
  ADD COLUMN executor       text,
  ADD COLUMN deadline_at    timestamptz,
  ADD COLUMN targets        text[] NOT NULL DEFAULT '{}',    -- locks(params), sorted, at the time of asking
  ADD COLUMN person         text,                            -- who of access.yaml asked; null: a service or nobody we know
  ADD COLUMN waiting_for    text CHECK (waiting_for IN ('approval')),
  ADD COLUMN bound_hash     text,
  ADD COLUMN undo_of        bigint,
  ADD COLUMN undone         text CHECK (undone IN ('complete', 'failed')),
  ADD COLUMN cause_key      text,                            -- incident:Q1…, alert:AR-06/instance: storm folding and loop guard
  ADD COLUMN cause_depth    integer NOT NULL DEFAULT 0,      -- runs of ours on the way to this cause
  ADD COLUMN verified       boolean,                         -- null: it has no verify, or never came to it
  ADD COLUMN is_drill       boolean NOT NULL DEFAULT false,
  ADD COLUMN cancel_by      text,                            -- asked of a living executor: it ends its processes, undoes, then finishes
  ADD COLUMN cancel_reason  text;
CREATE INDEX idx_run_cause ON control.run (cause_key, requested_at DESC) WHERE cause_key IS NOT NULL;
CREATE INDEX idx_run_undo ON control.run (undo_of) WHERE undo_of IS NOT NULL;
CREATE INDEX idx_run_lease ON control.run (lease_until) WHERE status = 'running' AND lease_until IS NOT NULL;
CREATE INDEX idx_run_auto_recent ON control.run (requested_at DESC) WHERE automation IS NOT NULL;
ALTER TABLE control.run_step
  ADD COLUMN fence     bigint,
  ADD COLUMN undoes    integer,                              -- phase undo: ordinal of the act step
  ADD COLUMN ended_by  text;                                 -- exit, timeout, abort: who ended its last process
-- Progress by line: decoded, redacted, capped before it comes here. Fenced by the insert's own SELECT.
CREATE TABLE control.run_line (
  run_seq bigint NOT NULL REFERENCES control.run (seq) ON DELETE CASCADE,
  line_no integer NOT NULL,
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  phase   text NOT NULL, ordinal integer NOT NULL,
  stream  text NOT NULL CHECK (stream IN ('say', 'cmd', 'out', 'err')),
  text    text NOT NULL,
  PRIMARY KEY (run_seq, line_no)
);
-- Process groups that a run began, so that a dead executor's children are found and ended (rc 3.3).
CREATE TABLE control.run_process (
  run_seq    bigint NOT NULL REFERENCES control.run (seq) ON DELETE CASCADE,
  fence      bigint NOT NULL, pgid integer NOT NULL,
  -- Of the group's leader, as runtime/process-key.ts names it: machine boot, pid namespace, pid, start.
  process_key text NOT NULL, executor_key text,
  program    text NOT NULL,
  phase      text NOT NULL, ordinal integer NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at   timestamptz, ended_by text CHECK (ended_by IN ('exit', 'timeout', 'abort', 'reaped', 'lost')),
  PRIMARY KEY (run_seq, fence, process_key)
);
CREATE INDEX idx_run_process_open ON control.run_process (started_at) WHERE ended_at IS NULL;
-- What people are asked to agree to; the policy's words at that moment are kept, not looked up again.
CREATE TABLE control.approval_request (
  run_seq    bigint PRIMARY KEY REFERENCES control.run (seq) ON DELETE CASCADE,
  bound_hash text NOT NULL,
  nonce      text NOT NULL,                                  -- in the button: a lookup key, never authority
  needed     integer NOT NULL CHECK (needed BETWEEN 1 AND 5),
  approvers  jsonb NOT NULL,                                 -- {role, team}
  requester  text NOT NULL,                                  -- person
  asked_at   timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  outcome    text CHECK (outcome IN ('approved', 'denied', 'expired', 'voided', 'cancelled')),
  ended_at   timestamptz
);
CREATE TABLE control.approval (
  run_seq    bigint NOT NULL REFERENCES control.run (seq) ON DELETE CASCADE,
  nonce      text NOT NULL,                                  -- of the request as it was then: votes for a voided plan never count again
  bound_hash text NOT NULL,
  person     text NOT NULL,
  decision   text NOT NULL CHECK (decision IN ('approve', 'deny')),
  door       text NOT NULL, identity text NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_seq, nonce, person)                       -- two clicks at once are one
);
CREATE TABLE control.stop_switch (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  active   boolean NOT NULL DEFAULT false, reason text, by text, at timestamptz
);
INSERT INTO control.stop_switch DEFAULT VALUES;
