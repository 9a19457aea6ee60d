-- Changes past Git that somebody means to be gone by a time (X-59): what a plan then shows as drift has an owner and an end.
CREATE TABLE control.temporary_change (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  environment text NOT NULL,
  target text NOT NULL,                                      -- ecs service workers
  attribute text NOT NULL,                                   -- desired_count
  before jsonb NOT NULL, after jsonb NOT NULL,
  reason text NOT NULL, owner text NOT NULL,
  run_id text,                                               -- run-17
  made_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  ended_at timestamptz, end_reason text,
  CHECK (expires_at > made_at AND expires_at <= made_at + interval '24 hours'),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE UNIQUE INDEX idx_temporary_change_target ON control.temporary_change (environment, target, attribute) WHERE ended_at IS NULL;
