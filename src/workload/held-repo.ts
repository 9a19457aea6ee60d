/**
 * The one way in which jobs reach the history of a repository: a copy on this machine, or else a clone of what
 * GitHub keeps, held for as long as it is read.
 */
import { fault } from "../base/fault.js";
import type { JobContext, RepoPlace } from "../job/port.js";
import type { RepoStore } from "../job/source-port.js";
import type { Database, Sql } from "../store/database.js";
import { findSource, type StoredSource } from "../store/repo-sources.js";
import { findRepo, type Repo } from "../store/repos.js";

export interface HeldRepoDeps {
  readonly db: Database;
  /** Null: no access to GitHub is configured, only copies on this machine can be read. */
  readonly clones: RepoStore | null;
}

export interface HoldNeed {
  /**
   * A clone fetched before is not enough. Default: when the job was made, or, if that is later, when GitHub last told
   * of news: a job that waits is also the answer to whoever asks for the same after it was made.
   */
  readonly freshAfter?: Date;
}

/**
 * Hands `work` the place to read and the row. Null instead of a place: the repository is archived, there is
 * nothing to read any more. Throws data faults `REPO_UNKNOWN` and `REPO_NOT_LOCAL`, `GITHUB_NOT_CONFIGURED`
 * (refused), and whatever fetching throws.
 */
export async function withRepo<T>(
  deps: HeldRepoDeps,
  repoId: string,
  { job, signal }: Pick<JobContext, "job" | "signal">,
  work: (at: RepoPlace | null, repo: Repo) => Promise<T>,
  { freshAfter }: HoldNeed = {},
): Promise<T> {
  const repo = await findKnownRepo(deps.db, repoId);
  if (repo.archived) return work(null, repo);
  if (repo.location !== null)
    return work({ path: repo.location, root: repo.root ?? repo.location }, repo);
  const source = await findSourceOf(deps.db, repo);
  const need = { freshAfter: freshAfter ?? latest(job.createdAt, source.seenAt, source.pushedAt) };
  const clone = await clonesOf(deps, repo).hold({ ...source, id: repo.id }, need, signal);
  try {
    return await work(clone.at, repo);
  } finally {
    await clone.release();
  }
}

async function findKnownRepo(sql: Sql, repoId: string): Promise<Repo> {
  const repo = await findRepo(sql, repoId);
  if (repo !== null) return repo;
  throw fault.data("REPO_UNKNOWN", `there is no repository with the id "${repoId}"`, {
    hint: "correct repo_id in the payload, or index the folder or the organisation that holds it",
  });
}

function latest(first: Date, ...others: readonly (Date | null)[]): Date {
  return others.reduce<Date>((last, at) => (at !== null && at > last ? at : last), first);
}

async function findSourceOf(sql: Sql, repo: Repo): Promise<StoredSource> {
  const source = await findSource(sql, repo.id);
  if (source !== null && source.goneAt === null) return source;
  throw fault.data(
    "REPO_NOT_LOCAL",
    `no copy of ${repo.name} (${repo.id}) is on this machine, and GitHub does not have it`,
    { hint: "index a folder that holds a clone of it, or the organisation that it belongs to" },
  );
}

function clonesOf({ clones }: HeldRepoDeps, repo: Repo): RepoStore {
  if (clones !== null) return clones;
  throw fault.refused(
    "GITHUB_NOT_CONFIGURED",
    `cannot clone ${repo.name} (${repo.id}): no access to GitHub is configured`,
    { hint: "give the workers access to GitHub, or index a folder that holds a clone of it" },
  );
}
