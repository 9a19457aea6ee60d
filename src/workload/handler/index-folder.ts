/**
 * index (HB-wrk-02): finds the Git repositories of a folder, keeps a row for each, archives those that
 * have vanished from it, and asks for the people and the score of each. Rows and jobs are written in
 * one transaction: after a crash either all of it is there or nothing, and running it again changes
 * nothing more.
 */
import { realpath } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { Fault, fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { Cache, Git, GitRepository, JobContext, JobHandler } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { enqueueJobs } from "../../store/jobs.js";
import { archiveVanished, type FoundRepo, upsertRepos } from "../../store/repos.js";
import { identityJob, scoreJob } from "../follow-up.js";
import type { IndexPayload } from "../payloads.js";
import { parseRemote, repoId } from "../remote.js";
import { forgetRepos } from "../repo-cache.js";

interface IndexDeps {
  readonly db: Database;
  readonly git: Git;
  readonly cache: Cache;
}

export function createIndexHandler(deps: IndexDeps): JobHandler {
  return {
    kind: "index",
    run: async (context) => {
      const folder = await folderOf(context.job.payload as IndexPayload);
      const survey = await surveyFolder(deps.git, folder, context);
      return recordSurvey(deps, folder, survey, context);
    },
  };
}

async function folderOf(payload: IndexPayload): Promise<string> {
  if (payload.path === undefined)
    throw fault.refused(
      "GITHUB_NOT_CONFIGURED",
      `cannot index the organisation ${payload.org_name}: no access to GitHub is configured`,
      { hint: 'index a folder of clones instead: {"path": "/srv/repositories"}' },
    );
  if (!isAbsolute(payload.path))
    throw fault.data(
      "FOLDER_UNREADABLE",
      `found path "${payload.path}", expected an absolute path`,
      {
        hint: "workers run elsewhere than you: begin the path with /",
      },
    );
  // What does not exist is explained by the survey; links are resolved so that vanished rows are found.
  return realpath(payload.path).catch(() => payload.path ?? "");
}

interface Survey {
  readonly repos: readonly FoundRepo[];
  /** By name, with the reason. They keep their rows: broken is not gone. */
  readonly unreadable: Readonly<Record<string, string>>;
  readonly presentIds: readonly string[];
}

async function surveyFolder(git: Git, folder: string, context: JobContext): Promise<Survey> {
  const repos = new Map<string, FoundRepo>();
  const unreadable: Record<string, string> = {};
  const presentIds: string[] = [];
  const all = await git.listRepositories(folder, context.signal);
  for (const [done, found] of all.entries()) {
    context.progress(done / all.length, `reading ${found.name}, ${done} of ${all.length} read`);
    const id = repoId(found);
    presentIds.push(id);
    // Of several copies of one remote, the first by path is read.
    if (repos.has(id)) continue;
    try {
      repos.set(id, describe(id, found, await git.head(found, context.signal)));
    } catch (error) {
      if (!isOfThisRepo(error, context.signal)) throw error;
      unreadable[found.name] = error.message;
      context.log.warn("repo.unreadable", { repo: found.name, code: error.code });
    }
  }
  context.progress(1, `${all.length} of ${all.length} read`);
  return { repos: [...repos.values()], unreadable, presentIds };
}

/** Broken, or so slow that git was ended: one such repository must not keep the others from being read. */
function isOfThisRepo(error: unknown, signal: AbortSignal): error is Fault {
  if (!(error instanceof Fault) || signal.aborted) return false;
  return error.kind === "data" || error.code === "GIT_STOPPED";
}

function describe(
  id: string,
  found: GitRepository,
  head: { commit: string; branch: string | null } | null,
): FoundRepo {
  const remote = parseRemote(found.remote);
  return {
    id,
    name: remote?.name ?? found.name,
    org: remote?.org ?? null,
    location: found.path,
    root: found.root,
    defaultBranch: head?.branch ?? null,
    headCommit: head?.commit ?? null,
  };
}

async function recordSurvey(
  { db, cache }: IndexDeps,
  folder: string,
  { repos, unreadable, presentIds }: Survey,
  { job }: JobContext,
): Promise<JsonObject> {
  // A repository without a commit has neither people nor a score yet; sync will see the first one.
  const withHistory = repos.filter(({ headCommit }) => headCommit !== null);
  const followUps = withHistory.flatMap(({ id }) => [identityJob(id, job), scoreJob(id, job)]);
  const { archived, jobs } = await db.transaction(async (tx) => {
    await upsertRepos(tx, repos);
    const archived = await archiveVanished(tx, folder, presentIds);
    if (presentIds.length === 0 && archived.length === 0) throw nothingFound(folder);
    return { archived, jobs: await enqueueJobs(tx, followUps) };
  });
  await forgetRepos(cache, [...repos.map(({ id }) => id), ...archived]);
  return {
    found: repos.length,
    empty: repos.length - withHistory.length,
    archived: archived.length,
    unreadable,
    jobs_enqueued: jobs.filter(({ created }) => created).length,
  };
}

function nothingFound(folder: string): Fault {
  return fault.data("NO_REPOSITORIES", `there is no Git repository in ${folder}`, {
    hint: "repositories are looked for in the folder itself and directly inside it, not deeper",
  });
}
