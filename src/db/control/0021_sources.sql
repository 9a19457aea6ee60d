-- Where repositories come from, what was last heard of them, and the budget of requests that all processes share.
CREATE TABLE control.repo_source (
  repo_id text PRIMARY KEY, host text NOT NULL, github_id bigint NOT NULL,
  owner text NOT NULL, name text NOT NULL, clone_url text NOT NULL, default_branch text,
  is_private boolean NOT NULL, is_fork boolean NOT NULL, is_archived boolean NOT NULL,
  size_kb bigint NOT NULL DEFAULT 0, pushed_at timestamptz,
  seen_at timestamptz NOT NULL,                              -- an event older than this moves nothing
  gone_at timestamptz,
  UNIQUE (host, github_id)
);
CREATE INDEX idx_repo_source_owner ON control.repo_source (host, lower(owner));
-- Every name that a repository ever had: a clone made before a rename finds the same row.
CREATE TABLE control.repo_alias (canonical text PRIMARY KEY, repo_id text NOT NULL, since timestamptz NOT NULL DEFAULT now());
CREATE INDEX idx_repo_alias_repo ON control.repo_alias (repo_id);
-- A page of a listing as it was answered, reduced: with 304 it is read here.
CREATE TABLE control.github_page (
  url text PRIMARY KEY, etag text NOT NULL, items jsonb NOT NULL, next_url text, fetched_at timestamptz NOT NULL
);
CREATE TABLE control.github_catchup (org text PRIMARY KEY, hook_id bigint, reached timestamptz NOT NULL);
-- One row a credential (scope: host, fingerprint, resource): whoever asks takes from it first (X-16).
CREATE TABLE control.github_budget (
  scope text PRIMARY KEY,
  limit_ integer NOT NULL DEFAULT 5000, remaining integer NOT NULL DEFAULT 5000,
  reset_at timestamptz, gate_until timestamptz, reason text, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE control.github_permit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, scope text NOT NULL, until timestamptz NOT NULL
);
CREATE INDEX idx_github_permit_scope ON control.github_permit (scope, until);
ALTER TABLE public.repos ADD COLUMN root text,               -- the folder that was indexed: nothing outside of it is read
  ADD COLUMN archived_as text;                               -- vanished | archived | deleted | transferred
