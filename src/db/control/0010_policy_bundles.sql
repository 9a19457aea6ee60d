-- Signed bundles on their way into force, and what is told of them. In force is what the newest row of
-- control.policy_revision says, as before, so the previous version of the software works on beside this one.

CREATE TABLE control.policy_bundle (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Signed: it only grows.
  revision       bigint NOT NULL UNIQUE CHECK (revision > 0),
  digest         text NOT NULL,
  commit         text,
  schema_version integer NOT NULL,
  envelope       jsonb NOT NULL,
  -- Where it was found: a folder, `s3://bucket/key`, `api`.
  source         text NOT NULL,
  status         text NOT NULL DEFAULT 'published' CONSTRAINT policy_bundle_status_known CHECK (status IN
    ('published', 'waiting', 'held', 'canary', 'adopted', 'superseded', 'refused', 'rolled-back')),
  -- One sentence: why it waits, is held, was refused or rolled back.
  reason         text,
  findings       jsonb NOT NULL DEFAULT '[]',
  published_at   timestamptz NOT NULL DEFAULT now(),
  decided_at     timestamptz,
  released_by    text,
  release_reason text,
  -- The row of control.policy_revision that it became.
  in_force       bigint
);

-- What was found at a source and never became a bundle. The same object is told once.
CREATE TABLE control.policy_refusal (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       timestamptz NOT NULL DEFAULT now(),
  source   text NOT NULL,
  tag      text NOT NULL,
  refusal  text NOT NULL,
  sentence text NOT NULL,
  revision bigint,
  digest   text,
  UNIQUE (source, tag)
);

ALTER TABLE control.policy_revision
  ADD COLUMN bundle_revision  bigint,
  ADD COLUMN commit           text,
  -- What people wrote, overlay applied: resolved again by whoever loads it.
  ADD COLUMN sections         jsonb,
  ADD COLUMN rolled_back_from bigint;

-- Which policy each process works with. Rows that nobody renews are not counted.
CREATE TABLE control.policy_process (
  process  text PRIMARY KEY,
  role     text NOT NULL,
  revision bigint NOT NULL,
  digest   text NOT NULL,
  seen_at  timestamptz NOT NULL DEFAULT now()
);

-- Break-glass: in force at once, for three days at most (HB-cfg, X-60).
CREATE TABLE control.policy_override (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  path       text NOT NULL,
  value      jsonb NOT NULL,
  was        jsonb NOT NULL,
  reason     text NOT NULL,
  owner      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  ended_at   timestamptz,
  ended_by   text,
  -- Of the pull request that writes it back.
  change_key text,
  CONSTRAINT policy_override_is_short CHECK (expires_at > created_at AND expires_at <= created_at + interval '72 hours')
);
CREATE UNIQUE INDEX idx_policy_override_path ON control.policy_override (path) WHERE ended_at IS NULL;

-- Changes that were asked for through chat or API: each is a pull request (X-06). Asking twice finds the first.
CREATE TABLE control.config_change (
  key          text PRIMARY KEY,
  environment  text NOT NULL,
  path         text NOT NULL,
  value        jsonb NOT NULL,
  reason       text NOT NULL,
  requested_by text NOT NULL,
  status       text NOT NULL DEFAULT 'asked'
    CONSTRAINT config_change_status_known CHECK (status IN ('asked', 'open', 'merged', 'closed', 'failed')),
  number       integer,
  url          text,
  error        text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now()
);

-- What was last seen of the protection of the branch that policies come from.
CREATE TABLE control.protection (
  repo       text PRIMARY KEY,
  verdict    jsonb NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT now()
);

-- Tokens that must not be believed any more, until they would have ended anyway.
CREATE TABLE control.revoked_token (
  jti        text PRIMARY KEY,
  revoked_by text NOT NULL,
  reason     text NOT NULL,
  until      timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_revoked_token_until ON control.revoked_token (until);

-- Behind the code's own check: a bundle that is not newer than all before it is not stored.
CREATE FUNCTION control.policy_bundle_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.revision <= (SELECT coalesce(max(revision), 0) FROM control.policy_bundle WHERE status <> 'refused') THEN
    RAISE EXCEPTION 'policy bundle % is not newer than the newest', NEW.revision USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_bundle_grows BEFORE INSERT ON control.policy_bundle
  FOR EACH ROW EXECUTE FUNCTION control.policy_bundle_grows();
