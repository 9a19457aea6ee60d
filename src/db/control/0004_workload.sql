-- Why a claim belongs to whom it belongs, and what each merge moved, so that it can be taken back
-- (HB-wrk-03, HB-wrk-10).
ALTER TABLE public.claims ADD COLUMN reason text NOT NULL DEFAULT 'same-mail';
CREATE INDEX idx_identities_merged_into ON public.identities (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE control.identity_merge (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  identity_id  text NOT NULL,
  target_id    text NOT NULL,
  reason       text NOT NULL,
  job_seq      bigint,
  -- What moved with it: claims of the identity, and identities that had been merged into it before.
  claim_ids    bigint[] NOT NULL,
  follower_ids text[] NOT NULL,
  merged_at    timestamptz NOT NULL DEFAULT now(),
  undone_at    timestamptz
);
CREATE INDEX idx_identity_merge_identity ON control.identity_merge (identity_id);

-- One score a repository, formula, commit and day, however many jobs compute it. Rows of plain SQL have no formula.
CREATE UNIQUE INDEX idx_scores_evidence
  ON public.scores (repo_id, formula, commit, (parts ->> 'asOf')) WHERE formula IS NOT NULL;
