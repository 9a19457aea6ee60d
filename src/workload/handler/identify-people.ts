/**
 * identity (HB-wrk-03): reads the history of a repository as a stream, the first time all of it and then only what is
 * new, and keeps who worked on it: one identity a person or bot, one claim a signature, with counts, times and the
 * reason why it is theirs. Ids are made from the evidence and what is known is written in one transaction with how far
 * it was read: running it again changes nothing, and being killed loses nothing.
 */
import type { JsonObject } from "../../base/json.js";
import type { CommitRecord, Git, JobContext, JobHandler, RepoPlace } from "../../job/port.js";
import type { RepoStore } from "../../job/source-port.js";
import type { WorkloadPolicy } from "../../policy/workload.js";
import type { Database } from "../../store/database.js";
import { type PastRead, readRepoHistory } from "../../store/repo-history.js";
import { summariseAuthors } from "../authors.js";
import { withRepo } from "../held-repo.js";
import { isUnchanged, mayReadOn, rulesOf } from "../history-state.js";
import type { IdentityPayload } from "../payloads.js";
import { findPeople, type HistoryRead, recordPeople } from "../record-people.js";

export interface IdentityDeps {
  readonly db: Database;
  readonly git: Git;
  readonly clones: RepoStore | null;
  readonly policy: () => WorkloadPolicy;
}

export function createIdentityHandler(deps: IdentityDeps): JobHandler {
  return {
    kind: "identity",
    run: (context) => {
      const { repo_id } = context.job.payload as IdentityPayload;
      return withRepo(deps, repo_id, context, (at, repo) =>
        at === null
          ? Promise.resolve({ skipped: "the repository is archived" })
          : identify(deps, at, repo.id, context),
      );
    },
  };
}

async function identify(
  deps: IdentityDeps,
  at: RepoPlace,
  repoId: string,
  context: JobContext,
): Promise<JsonObject> {
  const { full = false } = context.job.payload as IdentityPayload;
  const { people } = deps.policy();
  const past = await readRepoHistory(deps.db, repoId);
  const head = (await deps.git.head(at, context.signal))?.commit ?? null;
  const rules = rulesOf(people);
  if (head !== null && !full && isUnchanged(past, { head, rules }))
    return { commit: head, commits: past.commits, unchanged: true };
  const wanted = { repoId, head, past, rules, full };
  const { mailmapNote, ...read } = await readHistory(deps.git, at, context, wanted);
  const found = await findPeople(deps.db, read);
  const joinRules = { ...people, jobSeq: context.job.seq };
  const done = await deps.db.transaction((tx) => recordPeople(tx, read, found, joinRules));
  return {
    commit: head,
    commits: done.commits,
    commits_read: read.commitCount,
    people: done.people,
    bots: done.bots,
    claims: done.claims,
    identities_merged: done.merged,
    identity_hints: done.hinted,
    claims_removed: done.removed,
    ...mailmapNote,
  };
}

interface Wanted {
  readonly repoId: string;
  readonly head: string | null;
  readonly past: PastRead | null;
  readonly rules: string;
  readonly full: boolean;
}

type Read = HistoryRead & { readonly mailmapNote: JsonObject };

async function readHistory(
  git: Git,
  at: RepoPlace,
  context: JobContext,
  { repoId, head, past, rules, full }: Wanted,
): Promise<Read> {
  const { signal } = context;
  const found = head === null ? "none" : await git.mailmap(at, head, signal);
  const mailmap = typeof found === "string" ? null : found.oid;
  const isContinued =
    head !== null &&
    !full &&
    mayReadOn(past, { mailmap, rules }) &&
    (await git.isAncestor(at, past.head, head, signal));
  const range = isContinued ? { not: past.head } : {};
  const commits = head === null ? noCommits() : git.commits(at, { head, ...range }, signal);
  const onCommits = (count: number) => context.progress(0, `${count} commits read`);
  const { commitCount, authors } = await summariseAuthors(commits, { onCommits });
  const mailmapNote: JsonObject =
    found === "too-large" ? { mailmap: "not read: it is larger than 1 MiB" } : {};
  return { repoId, head, past, isContinued, mailmap, rules, commitCount, authors, mailmapNote };
}

/** History of a repository that has none: whoever was claimed before is claimed no more. */
async function* noCommits(): AsyncGenerator<CommitRecord> {}
