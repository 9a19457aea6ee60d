/**
 * identity (HB-wrk-03): reads the whole history of a repository as a stream, and keeps who worked on it:
 * one identity a person or bot, one claim a signature, with counts, times and the reason why it is theirs.
 * Counts are set, not added, and ids are made from the evidence: running it again changes nothing.
 */
import type { JsonObject } from "../../base/json.js";
import type { CommitRecord, Git, JobContext, JobHandler } from "../../job/port.js";
import { replaceClaims } from "../../store/claims.js";
import type { Database, Sql } from "../../store/database.js";
import {
  addIdentities,
  lockIdentities,
  mergeIdentity,
  renameByClaims,
  resolveIdentities,
} from "../../store/identities.js";
import type { LocalRepo } from "../../store/repos.js";
import { summariseAuthors } from "../authors.js";
import { findLocalRepo, placeOf } from "../local-repo.js";
import type { IdentityPayload } from "../payloads.js";
import { gatherPeople, type People } from "../people.js";

export function createIdentityHandler(deps: {
  readonly db: Database;
  readonly git: Git;
}): JobHandler {
  return {
    kind: "identity",
    run: async (context): Promise<JsonObject> => {
      const { repo_id } = context.job.payload as IdentityPayload;
      const repo = await findLocalRepo(deps.db, repo_id);
      if (repo.archived) return { skipped: "the repository is archived" };
      const { commit, commitCount, people } = await readPeople(deps.git, repo, context);
      const outcome = await deps.db.transaction((tx) => recordPeople(tx, repo.id, people, context));
      return {
        commit,
        commits: commitCount,
        people: people.persons.filter(({ kind }) => kind === "human").length,
        bots: people.persons.filter(({ kind }) => kind === "bot").length,
        claims: people.claims.length,
        ...outcome,
      };
    },
  };
}

async function readPeople(git: Git, repo: LocalRepo, { signal }: JobContext) {
  const head = await git.head(placeOf(repo), signal);
  const commits = head ? git.commits(placeOf(repo), { head: head.commit }, signal) : noCommits();
  const { commitCount, authors } = await summariseAuthors(commits);
  return { commit: head?.commit ?? null, commitCount, people: gatherPeople(authors) };
}

/** History of a repository that has none: whoever was claimed before is claimed no more. */
async function* noCommits(): AsyncGenerator<CommitRecord> {}

async function recordPeople(
  tx: Sql,
  repoId: string,
  people: People,
  { job }: JobContext,
): Promise<JsonObject> {
  await lockIdentities(tx);
  await addIdentities(tx, people.persons);
  const merged = await mergeByEvidence(tx, people, job.seq);
  const standing = await resolveIdentities(
    tx,
    people.persons.map(({ id }) => id),
  );
  const claims = people.claims.map(({ personId, ...claim }) => ({
    ...claim,
    identityId: standing.get(personId) ?? personId,
  }));
  const { removed } = await replaceClaims(tx, repoId, claims);
  await renameByClaims(tx, [...new Set(standing.values())]);
  return { identities_merged: merged, claims_removed: removed };
}

/** The smaller id always stays, so the order in which repositories are read does not matter. */
async function mergeByEvidence(tx: Sql, people: People, jobSeq: number): Promise<number> {
  let merged = 0;
  for (const { personIds, reason } of people.merges) {
    const standing = await resolveIdentities(tx, personIds);
    const [targetId, identityId] = personIds.map((id) => standing.get(id) ?? id).sort();
    if (targetId === undefined || identityId === undefined || targetId === identityId) continue;
    const outcome = await mergeIdentity(tx, { identityId, targetId, reason, jobSeq });
    if (outcome === "merged") merged++;
  }
  return merged;
}
