-- What is shared about each system that we call: its breaker, the gate that it asked for, and how it has been lately.
-- The version grows with every change, so that two processes that saw the same row do not overwrite one another.
CREATE TABLE control.dependency (
  name         text PRIMARY KEY,
  state        text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
  -- Open: when probes may begin; half open: when the tokens come back.
  next_at      timestamptz,
  tokens       integer NOT NULL DEFAULT 0,
  successes    integer NOT NULL DEFAULT 0,
  -- The dependency asked not to be called before (Retry-After, rate-limit reset).
  gate_until   timestamptz,
  reason       text,
  version      bigint NOT NULL DEFAULT 1,
  -- Since when it is in this state, and who brought it there.
  changed_at   timestamptz NOT NULL DEFAULT now(),
  changed_by   text NOT NULL,
  -- As the process saw it that measured last.
  calls        integer NOT NULL DEFAULT 0,
  success_rate double precision,
  p95_ms       double precision,
  measured_at  timestamptz
);
