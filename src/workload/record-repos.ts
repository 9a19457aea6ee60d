/**
 * What GitHub says of repositories becomes rows, and jobs for those whose people and score must be read anew: all
 * in one transaction, so a crash leaves both or neither, and the same answer again changes nothing.
 */
import type { Cache } from "../job/port.js";
import type { SourceRepo } from "../job/source-port.js";
import type { WorkloadPolicy } from "../policy/workload.js";
import type { Database, Sql } from "../store/database.js";
import type { Enqueued } from "../store/jobs.js";
import { enqueueLater } from "../store/later-jobs.js";
import { addAliases } from "../store/repo-aliases.js";
import { lockSources, type RecordedSource, recordSources } from "../store/repo-sources.js";
import { findQuarantinedKeys } from "../store/unique-jobs.js";
import { identityJob, type Origin, scoreJob } from "./follow-up.js";
import { forgetRepos } from "./repo-cache.js";
import { findRepoIds, nameOf } from "./repo-name.js";

export interface RecordDeps {
  readonly db: Database;
  readonly cache: Cache;
  readonly policy: () => WorkloadPolicy;
}

export interface RecordCounts {
  readonly added: number;
  /** Renamed, moved, archived, taken back: anything but a push. */
  readonly changed: number;
  readonly pushed: number;
  readonly jobs: number;
}

type IdentifiedRepo = SourceRepo & { readonly id: string };

/** @param seenAt when GitHub was asked: an answer that is older than what is known changes nothing */
export async function recordRepos(
  deps: RecordDeps,
  repos: readonly SourceRepo[],
  seenAt: Date,
  origin: Origin,
): Promise<RecordCounts> {
  const [first] = repos;
  if (first === undefined) return { added: 0, changed: 0, pushed: 0, jobs: 0 };
  const { recorded, jobs } = await deps.db.transaction(async (tx) => {
    await lockSources(tx, first.host);
    const identified = await identify(tx, repos);
    const recorded = await recordSources(tx, identified, seenAt);
    await addAliases(tx, aliasesOf(identified, recorded), { authoritative: true });
    const wanted = recorded.filter(needsReading(identified, deps.policy()));
    return { recorded, jobs: await askForReading(tx, wanted, origin) };
  });
  const touched = recorded.filter(({ isChanged, isPushed }) => isChanged || isPushed);
  await forgetRepos(
    deps.cache,
    touched.map(({ id }) => id),
  );
  return { ...countOf(recorded), jobs: jobs.filter(({ created }) => created).length };
}

/** One that runs already has read what was there before. */
async function askForReading(
  tx: Sql,
  wanted: readonly RecordedSource[],
  origin: Origin,
): Promise<Enqueued[]> {
  const jobsOf = ({ id }: RecordedSource) => [identityJob(id, origin), scoreJob(id, origin)];
  // Without a push it would fail again, each hour, and a clone that is too large costs all that may be fetched of it.
  const unasked = wanted.filter(({ isPushed }) => !isPushed).flatMap(jobsOf);
  const failed = await findQuarantinedKeys(
    tx,
    unasked.map(({ uniqueKey }) => uniqueKey),
  );
  const isOpen = ({ isPushed }: RecordedSource, key: string) => isPushed || !failed.has(key);
  const jobs = wanted.flatMap((one) =>
    jobsOf(one).filter(({ uniqueKey }) => isOpen(one, uniqueKey)),
  );
  return enqueueLater(tx, jobs);
}

/** A page that shifted while it was listed may hold one repository twice: the first counts. */
async function identify(sql: Sql, repos: readonly SourceRepo[]): Promise<IdentifiedRepo[]> {
  const ids = await findRepoIds(sql, repos.map(nameOf));
  const byId = new Map<string, IdentifiedRepo>();
  for (const [at, repo] of repos.entries()) {
    const id = ids[at]!;
    if (!byId.has(id)) byId.set(id, { ...repo, id });
  }
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Of an answer that came too late the names count no more either. */
function aliasesOf(repos: readonly IdentifiedRepo[], recorded: readonly RecordedSource[]) {
  const counted = new Set(recorded.map(({ id }) => id));
  const byName = new Map(
    repos
      .filter(({ id }) => counted.has(id))
      .map((repo) => [nameOf(repo).canonical, repo.id] as const),
  );
  return [...byName].map(([canonical, repoId]) => ({ canonical, repoId }));
}

/** An empty one has neither people nor a score; a copy in a folder is looked at by its own sync. */
function needsReading(repos: readonly IdentifiedRepo[], policy: WorkloadPolicy) {
  const readable = new Set(
    repos
      .filter(({ isArchived, isDisabled }) => !isArchived && !isDisabled)
      .filter(({ isFork }) => !isFork || policy.repositories.indexForks)
      .filter(({ pushedAt }) => pushedAt !== null)
      .map(({ id }) => id),
  );
  return ({ id, isPushed, hasScore, isLocal }: RecordedSource) =>
    readable.has(id) && !isLocal && (isPushed || !hasScore);
}

function countOf(recorded: readonly RecordedSource[]): Omit<RecordCounts, "jobs"> {
  return {
    added: recorded.filter(({ isNew }) => isNew).length,
    changed: recorded.filter(({ isNew, isChanged }) => isChanged && !isNew).length,
    pushed: recorded.filter(({ isNew, isPushed }) => isPushed && !isNew).length,
  };
}
