/**
 * index of a folder (HB-wrk-02): finds the Git repositories in it, keeps a row for each, archives those that
 * have vanished from it, and asks for the people and the score of each. Rows and jobs are written in
 * one transaction: after a crash either all of it is there or nothing, and running it again changes
 * nothing more.
 */
import { realpath } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { Fault, fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { Cache, Git, GitRepository, JobContext } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { enqueueLater } from "../../store/later-jobs.js";
import { addAliases, type RepoAlias } from "../../store/repo-aliases.js";
import { archiveVanished, type FoundRepo, upsertRepos } from "../../store/repos.js";
import { identityJob, scoreJob } from "../follow-up.js";
import { parseRemote, repoId } from "../remote.js";
import { forgetRepos } from "../repo-cache.js";
import { findRepoIds, nameOfRemote } from "../repo-name.js";

interface FolderDeps {
  readonly db: Database;
  readonly git: Git;
  readonly cache: Cache;
}

export async function indexFolder(
  deps: FolderDeps,
  path: string,
  context: JobContext,
): Promise<JsonObject> {
  const folder = await folderOf(path);
  const survey = await surveyFolder(deps, folder, context);
  return recordSurvey(deps, folder, survey, context);
}

async function folderOf(path: string): Promise<string> {
  if (!isAbsolute(path))
    throw fault.data("FOLDER_UNREADABLE", `found path "${path}", expected an absolute path`, {
      hint: "workers run elsewhere than you: begin the path with /",
    });
  // What does not exist is explained by the survey; links are resolved so that vanished rows are found.
  return realpath(path).catch(() => path);
}

interface Survey {
  readonly repos: readonly FoundRepo[];
  /** Under which name each of them was cloned. */
  readonly aliases: readonly RepoAlias[];
  /** By name, with the reason. They keep their rows: broken is not gone. */
  readonly unreadable: Readonly<Record<string, string>>;
  readonly presentIds: readonly string[];
}

async function surveyFolder(
  { db, git }: FolderDeps,
  folder: string,
  context: JobContext,
): Promise<Survey> {
  const repos = new Map<string, FoundRepo>();
  const unreadable: Record<string, string> = {};
  const presentIds: string[] = [];
  const all = await git.listRepositories(folder, context.signal);
  const ids = await rowIds(db, all);
  for (const [done, found] of all.entries()) {
    context.progress(done / all.length, `reading ${found.name}, ${done} of ${all.length} read`);
    const id = ids[done]!;
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
  return {
    repos: [...repos.values()].sort(byId),
    aliases: aliasesOf(all, ids),
    unreadable,
    presentIds,
  };
}

function aliasesOf(all: readonly GitRepository[], ids: readonly string[]): RepoAlias[] {
  const byName = new Map<string, string>();
  for (const [at, { remote }] of all.entries()) {
    const canonical = parseRemote(remote)?.canonical;
    if (canonical !== undefined) byName.set(canonical, ids[at]!);
  }
  return [...byName].map(([canonical, repoId]) => ({ canonical, repoId }));
}

/** One order for all who enqueue, so that two with the same keys cannot deadlock. */
function byId(a: FoundRepo, b: FoundRepo): number {
  return a.id < b.id ? -1 : 1;
}

/** A clone that was made before a rename or a transfer is found under the name that it was made with. */
async function rowIds(db: Database, all: readonly GitRepository[]): Promise<string[]> {
  const names = all.map((found) => ({ found, name: nameOfRemote(found.remote) }));
  const named = names.flatMap(({ name }) => (name === null ? [] : [name]));
  const ids = (await findRepoIds(db, named)).values();
  return names.map(({ found, name }) =>
    name === null ? repoId(found) : (ids.next().value ?? repoId(found)),
  );
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
  { db, cache }: FolderDeps,
  folder: string,
  { repos, aliases, unreadable, presentIds }: Survey,
  { job }: JobContext,
): Promise<JsonObject> {
  // A repository without a commit has neither people nor a score yet; sync will see the first one.
  const withHistory = repos.filter(({ headCommit }) => headCommit !== null);
  const followUps = withHistory.flatMap(({ id }) => [identityJob(id, job), scoreJob(id, job)]);
  const { archived, jobs } = await db.transaction(async (tx) => {
    await upsertRepos(tx, repos);
    await addAliases(tx, aliases, { authoritative: false });
    const archived = await archiveVanished(tx, folder, presentIds);
    if (presentIds.length === 0 && archived.length === 0) throw nothingFound(folder);
    return { archived, jobs: await enqueueLater(tx, followUps) };
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
