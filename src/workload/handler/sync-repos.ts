/**
 * sync (HB-wrk-06): looks whether the copies on this machine have moved. A new head asks for people and
 * score again; a copy that is gone is archived. With a repository id only that one, else all of them.
 */
import { Fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { Cache, Git, JobContext, JobHandler } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { enqueueJobs } from "../../store/jobs.js";
import { archiveRepo, type LocalRepo, listLocalRepos, moveHead } from "../../store/repos.js";
import { identityJob, scoreJob } from "../follow-up.js";
import { findLocalRepo, placeOf } from "../local-repo.js";
import type { SyncPayload } from "../payloads.js";
import { forgetRepos } from "../repo-cache.js";

const PAGE_ROWS = 200;

type SyncOutcome = "moved" | "unchanged" | "vanished";

interface SyncDeps {
  readonly db: Database;
  readonly git: Git;
  readonly cache: Cache;
}

export function createSyncHandler(deps: SyncDeps): JobHandler {
  return {
    kind: "sync",
    run: async (context) => {
      const { repo_id } = context.job.payload as SyncPayload;
      if (repo_id === undefined) return syncAll(deps, context);
      const repo = await findLocalRepo(deps.db, repo_id);
      return { outcome: await syncOne(deps, repo, context) };
    },
  };
}

async function syncAll(deps: SyncDeps, context: JobContext): Promise<JsonObject> {
  const counts = { moved: 0, unchanged: 0, vanished: 0, unreadable: 0 };
  for (let afterId = ""; ; ) {
    const page = await listLocalRepos(deps.db, { afterId, limit: PAGE_ROWS });
    for (const repo of page) {
      context.signal.throwIfAborted();
      counts[await syncOrNote(deps, repo, context)]++;
    }
    afterId = page.at(-1)?.id ?? "";
    if (page.length < PAGE_ROWS) return counts;
  }
}

/** One broken copy must not keep the others from being looked at. */
async function syncOrNote(
  deps: SyncDeps,
  repo: LocalRepo,
  context: JobContext,
): Promise<SyncOutcome | "unreadable"> {
  try {
    return await syncOne(deps, repo, context);
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== "data") throw error;
    context.log.warn("repo.unreadable", { repo: repo.id, code: error.code });
    return "unreadable";
  }
}

async function syncOne(deps: SyncDeps, repo: LocalRepo, context: JobContext): Promise<SyncOutcome> {
  const outcome = await compareHead(deps, repo, context);
  if (outcome !== "unchanged") await forgetRepos(deps.cache, [repo.id]);
  return outcome;
}

async function compareHead(
  deps: SyncDeps,
  repo: LocalRepo,
  { job, signal }: JobContext,
): Promise<SyncOutcome> {
  const head = await readHead(deps.git, repo, signal);
  if (head === "gone") {
    await archiveRepo(deps.db, repo.id);
    return "vanished";
  }
  return deps.db.transaction(async (tx) => {
    if (!(await moveHead(tx, repo.id, head))) return "unchanged";
    await enqueueJobs(tx, [identityJob(repo.id, job), scoreJob(repo.id, job)]);
    return "moved";
  });
}

async function readHead(git: Git, repo: LocalRepo, signal: AbortSignal) {
  try {
    return await git.head(placeOf(repo), signal);
  } catch (error) {
    if (error instanceof Fault && error.code === "GIT_REPOSITORY_MISSING") return "gone";
    throw error;
  }
}
