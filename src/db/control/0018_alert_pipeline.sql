-- All locks first, and none held while waiting for the next for longer than a moment: the previous version
-- is at work meanwhile, and its transactions take these tables in orders of their own.
DO $$
BEGIN
  LOOP
    BEGIN
      SET LOCAL lock_timeout = '500ms';
      LOCK TABLE control.notice, control.alert_event IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      PERFORM pg_sleep(0.05);
    END;
  END LOOP;
END $$;

-- What a receiver was told of a group, and when it may hear of it again: alert/group.
CREATE TABLE control.alert_group (
  receiver   text NOT NULL, group_key text NOT NULL, rule text NOT NULL,
  state      jsonb NOT NULL,
  next_at    timestamptz,                                    -- the next flush; null: only a change wakes it
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (receiver, group_key)
) WITH (fillfactor = 70);
-- Tokens of a receiver. Two lanes: a storm of warnings never spends what pages.
CREATE TABLE control.receiver_lane (
  receiver text NOT NULL, lane text NOT NULL CHECK (lane IN ('normal', 'critical')),
  tokens double precision NOT NULL, refilled_at timestamptz NOT NULL,
  storm_since timestamptz, calm_since timestamptz,           -- storm_since null: no storm
  digest_at timestamptz,                                     -- of the newest digest that is not over yet; the next a minute later at the earliest
  PRIMARY KEY (receiver, lane)
) WITH (fillfactor = 50);
-- Said in no message of its own: each stands in exactly one digest.
CREATE TABLE control.digest_entry (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  receiver text NOT NULL, lane text NOT NULL, group_key text NOT NULL, rule text NOT NULL, level text,
  severity text NOT NULL, action text NOT NULL, alerts integer NOT NULL, reason text NOT NULL,
  instances text[] NOT NULL,                                 -- keys of the group's alerts, at most 200, `alerts` counts all
  at timestamptz NOT NULL,
  notice_id bigint REFERENCES control.notice (id) ON DELETE CASCADE
);
CREATE INDEX idx_digest_entry_open ON control.digest_entry (receiver, lane, id) WHERE notice_id IS NULL;
CREATE INDEX idx_digest_entry_notice ON control.digest_entry (notice_id) WHERE notice_id IS NOT NULL;
ALTER TABLE control.notice
  ADD COLUMN group_key text,                                 -- null: a word of the runtime, or of the version before
  ADD COLUMN alerts    integer NOT NULL DEFAULT 1,
  ADD COLUMN sending_at timestamptz;                         -- set before the call, cleared by its answer: Slack looks before it posts again
CREATE INDEX idx_notice_pending_lane ON control.notice (receiver, severity, id) WHERE status = 'pending';
ALTER TABLE control.alert_event ADD COLUMN labels jsonb, ADD COLUMN reason text;
CREATE INDEX idx_alert_event_rule ON control.alert_event (rule, instance, at DESC);

CREATE TABLE control.silence (
  id         uuid PRIMARY KEY,                               -- of Git's: uuid v5 of system, name and start
  source     text NOT NULL CHECK (source IN ('git', 'api')),
  name       text,                                           -- in silences.yaml
  matchers   jsonb NOT NULL,                                 -- [{name, value, isRegex, isEqual}]
  starts_at  timestamptz NOT NULL, ends_at timestamptz NOT NULL,
  created_by text NOT NULL, comment text NOT NULL,
  silences_pages boolean NOT NULL DEFAULT false,             -- sev1 too: must be said
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), ended_by text,
  matched_at timestamptz, matches integer NOT NULL DEFAULT 0, -- of the last tick that judged it
  CHECK (ends_at >= starts_at), CHECK ((source = 'git') = (name IS NOT NULL))
);
CREATE INDEX idx_silence_ends ON control.silence (ends_at);
