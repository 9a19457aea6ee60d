-- Posts of runs to chat. 'posting' is written before the call: after a crash we look, and never post twice.
CREATE TABLE control.chat_post (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_seq bigint REFERENCES control.run (seq) ON DELETE CASCADE,
  purpose text NOT NULL,                                     -- 'main', 'end', 'thread:<chunk>', 'inbound'
  key text NOT NULL UNIQUE,                                  -- goes into the message's metadata
  channel text NOT NULL, thread_ts text, ephemeral_user text,
  body jsonb NOT NULL, body_version integer NOT NULL DEFAULT 1, shown_version integer NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'posting', 'posted', 'unknown', 'dead')),
  ts text, tries integer NOT NULL DEFAULT 0, last_error text,
  -- Not looked at before: the lease of who posts or edits it, the pace of edits, or a wait that Slack asked for.
  due_at timestamptz NOT NULL DEFAULT now(),
  -- Looks in the channel that did not find it: two, 15 s apart, and it is posted again.
  absences integer NOT NULL DEFAULT 0,
  posting_since timestamptz, created_at timestamptz NOT NULL DEFAULT now(), posted_at timestamptz,
  -- Last successful post or edit: Slack takes about 50 edits a minute from an app.
  shown_at timestamptz
);
CREATE INDEX idx_chat_post_due ON control.chat_post (due_at)
  WHERE state IN ('pending', 'posting') OR (state = 'posted' AND shown_version < body_version);
CREATE INDEX idx_chat_post_run ON control.chat_post (run_seq);
CREATE INDEX idx_chat_post_channel ON control.chat_post (channel, posted_at) WHERE posted_at IS NOT NULL;
CREATE INDEX idx_chat_post_shown ON control.chat_post (shown_at) WHERE shown_at IS NOT NULL;
-- Which heads of the chain stand outside, and where.
CREATE TABLE control.audit_anchor (
  seq bigint PRIMARY KEY, hash bytea NOT NULL, place text NOT NULL, reference text NOT NULL,
  anchored_at timestamptz NOT NULL DEFAULT now()
);
-- Entries of local journals that were taken over: a second replay finds its key.
CREATE TABLE control.journal_entry (
  key text PRIMARY KEY, kind text NOT NULL, host text NOT NULL, written_at timestamptz NOT NULL,
  replayed_at timestamptz NOT NULL DEFAULT now(), outcome text NOT NULL
);
-- PagerDuty's event.id beside X-Webhook-Id: two subscriptions carry the same event. Not unique: the previous version, still running,
-- would fail on it; who settles an event looks for an older one under the lock of its incident.
CREATE INDEX idx_inbound_event ON control.inbound ((body ->> 'eventId')) WHERE source = 'pagerduty';
