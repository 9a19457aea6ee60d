/**
 * sync (HB-wrk-06): looks whether repositories have moved since they were read. With a repository id that one: its
 * copy on this machine, and what GitHub says of it. With an owner: all that GitHub lists of it, and the webhook
 * deliveries that did not arrive. With neither: every copy on this machine, and a job for each owner that is known.
 */
import { Fault, fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { Cache, Git, JobContext, JobHandler } from "../../job/port.js";
import type { RepoStore, SourceHost } from "../../job/source-port.js";
import type { WorkloadPolicy } from "../../policy/workload.js";
import type { Database } from "../../store/database.js";
import { listFollowed } from "../../store/followed-owners.js";
import { enqueueJobs } from "../../store/jobs.js";
import { findSource, listStrays } from "../../store/repo-sources.js";
import { findRepo, type LocalRepo, listLocalRepos, type Repo } from "../../store/repos.js";
import { catchUp } from "../catch-up.js";
import { compareHead, type HeadOutcome } from "../compare-head.js";
import { ownerSyncJob, syncJob } from "../follow-up.js";
import type { SyncPayload } from "../payloads.js";
import { refreshSource } from "../refresh-source.js";
import { indexOrganisation } from "./index-organisation.js";

const PAGE_ROWS = 200;
/** Each costs a request; those that were transferred to owners whom nobody asked for are few. */
const STRAYS_MAX = 200;

interface SyncDeps {
  readonly db: Database;
  readonly git: Git;
  readonly cache: Cache;
  readonly policy: () => WorkloadPolicy;
  /** Null: no access to GitHub is configured. */
  readonly source: SourceHost | null;
  readonly clones: RepoStore | null;
}

export function createSyncHandler(deps: SyncDeps): JobHandler {
  return {
    kind: "sync",
    run: async (context) => {
      const { repo_id, org_name } = context.job.payload as SyncPayload;
      if (repo_id !== undefined) return syncOne(deps, repo_id, context);
      if (org_name !== undefined) return syncOwner(deps, org_name, context);
      const local = await syncLocal(deps, context);
      return { ...local, owners: await askForOwners(deps, context) };
    },
  };
}

async function syncOwner(deps: SyncDeps, owner: string, context: JobContext): Promise<JsonObject> {
  const { source } = deps;
  if (source === null) throw notConfigured(`the organisation ${owner}`);
  const listed = await indexOrganisation({ ...deps, source }, { owner, full: false }, context);
  return { ...listed, webhooks: await catchUp({ db: deps.db, source }, owner, context) };
}

function notConfigured(what: string): Fault {
  return fault.refused(
    "GITHUB_NOT_CONFIGURED",
    `cannot look for news of ${what}: no access to GitHub is configured`,
    { hint: "give the workers access to GitHub, or index a folder of clones" },
  );
}

async function syncOne(deps: SyncDeps, id: string, context: JobContext): Promise<JsonObject> {
  const repo = await findRepo(deps.db, id);
  if (repo === null)
    throw fault.data("REPO_UNKNOWN", `there is no repository with the id "${id}"`, {
      hint: "correct repo_id in the payload, or index the folder or the organisation that holds it",
    });
  const github = await syncSource(deps, repo, context);
  if (!isLocal(repo)) return { outcome: github };
  const outcome = await compareHead(deps, repo, context);
  return github === null ? { outcome } : { outcome, github };
}

function isLocal(repo: Repo): repo is LocalRepo {
  return repo.location !== null;
}

/** Null: there is nobody to ask, and a copy on this machine to look at. */
async function syncSource(deps: SyncDeps, repo: Repo, context: JobContext): Promise<string | null> {
  const known = await findSource(deps.db, repo.id);
  if (known === null) {
    if (isLocal(repo)) return null;
    throw fault.data(
      "REPO_NOT_LOCAL",
      `no copy of ${repo.name} (${repo.id}) is on this machine, and GitHub does not have it`,
      { hint: "index a folder that holds a clone of it, or the organisation that it belongs to" },
    );
  }
  const { source } = deps;
  if (source !== null && source.host === known.host)
    return refreshSource({ ...deps, source }, known, context);
  if (isLocal(repo)) return null;
  throw notConfigured(`${repo.name} on ${known.host}`);
}

async function syncLocal(
  deps: SyncDeps,
  context: JobContext,
): Promise<Record<HeadOutcome | "unreadable", number>> {
  const counts = { moved: 0, unchanged: 0, vanished: 0, unreadable: 0 };
  for (let afterId = ""; ; ) {
    const page = await listLocalRepos(deps.db, { afterId, limit: PAGE_ROWS });
    for (const repo of page) {
      context.signal.throwIfAborted();
      counts[await compareOrNote(deps, repo, context)]++;
    }
    afterId = page.at(-1)?.id ?? "";
    if (page.length < PAGE_ROWS) return counts;
  }
}

/** One broken copy must not keep the others from being looked at. */
async function compareOrNote(
  deps: SyncDeps,
  repo: LocalRepo,
  context: JobContext,
): Promise<HeadOutcome | "unreadable"> {
  try {
    return await compareHead(deps, repo, context);
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== "data") throw error;
    context.log.warn("repo.unreadable", { repo: repo.id, code: error.code });
    return "unreadable";
  }
}

/** A job each, so that one who cannot be read keeps no other from it. */
async function askForOwners({ db, source }: SyncDeps, { job }: JobContext): Promise<number> {
  if (source === null) return 0;
  const { host } = source;
  const owners = await listFollowed(db, host);
  const strays = await listStrays(db, { host, owners, limit: STRAYS_MAX });
  await enqueueJobs(db, [
    ...owners.map((owner) => ownerSyncJob(owner, job)),
    ...strays.map((id) => syncJob(id, job)),
  ]);
  return owners.length;
}
