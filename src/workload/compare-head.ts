/** Whether the copy of a repository on this machine has moved: a new head asks for people and score again. */
import { Fault } from "../base/fault.js";
import type { Cache, Git, JobContext } from "../job/port.js";
import type { Database } from "../store/database.js";
import { enqueueLater } from "../store/later-jobs.js";
import { archiveRepo, type LocalRepo, moveHead } from "../store/repos.js";
import { identityJob, scoreJob } from "./follow-up.js";
import { forgetRepos } from "./repo-cache.js";

/** `vanished`: there is no copy any more, and the row is archived. */
export type HeadOutcome = "moved" | "unchanged" | "vanished";

interface CompareDeps {
  readonly db: Database;
  readonly git: Git;
  readonly cache: Cache;
}

/** Head and jobs in one transaction. Throws the data faults of reading. */
export async function compareHead(
  deps: CompareDeps,
  repo: LocalRepo,
  context: JobContext,
): Promise<HeadOutcome> {
  const outcome = await moveOrArchive(deps, repo, context);
  if (outcome !== "unchanged") await forgetRepos(deps.cache, [repo.id]);
  return outcome;
}

async function moveOrArchive(
  { db, git }: CompareDeps,
  repo: LocalRepo,
  { job, signal }: JobContext,
): Promise<HeadOutcome> {
  const head = await readHead(git, repo, signal);
  if (head === "gone") {
    await archiveRepo(db, repo.id);
    return "vanished";
  }
  return db.transaction(async (tx) => {
    if (!(await moveHead(tx, repo.id, head))) return "unchanged";
    await enqueueLater(tx, [identityJob(repo.id, job), scoreJob(repo.id, job)]);
    return "moved";
  });
}

async function readHead(git: Git, { location, root }: LocalRepo, signal: AbortSignal) {
  try {
    return await git.head({ path: location, root: root ?? location }, signal);
  } catch (error) {
    if (error instanceof Fault && error.code === "GIT_REPOSITORY_MISSING") return "gone";
    throw error;
  }
}
