/**
 * What the cache holds of repositories (HB-wrk-17), a key for each of them. Whoever changes a row forgets
 * its entry; where that does not reach (Redis away, another process's memory) the entry ends by its time to live,
 * so nothing that must be true is decided by one.
 */
import type { JsonObject } from "../base/json.js";
import type { Cache } from "../job/port.js";
import type { CacheLifetimes } from "../policy/policy.js";
import { findLatestScore, type LatestScore, listActiveRepos } from "../store/active-repos.js";
import type { Sql } from "../store/database.js";
import { findSource } from "../store/repo-sources.js";
import { findRepo, type Repo } from "../store/repos.js";

interface RepoCacheDeps {
  readonly db: Sql;
  readonly cache: Cache;
  /** cache.yaml in force, asked at each entry. */
  readonly lifetimes: () => CacheLifetimes;
}

/**
 * Whether its history can be read: from a copy on this machine, or from GitHub. A no is asked for anew each time:
 * the next index may bring it, while a repository that was held once is never given up, only archived.
 */
export async function isRepoHeld(
  { db, cache, lifetimes }: RepoCacheDeps,
  id: string,
): Promise<boolean> {
  if ((await cache.get(metadataKey(id))) !== null) return true;
  const repo = await findRepo(db, id);
  if (repo === null) return false;
  if (repo.location === null && (await findSource(db, id)) === null) return false;
  await putMetadata(cache, repo, lifetimes());
  return true;
}

export function forgetRepos(cache: Cache, ids: readonly string[]): Promise<void> {
  return cache.delete(...ids.map(metadataKey));
}

export function forgetLatestScore(cache: Cache, id: string): Promise<void> {
  return cache.delete(latestScoreKey(id));
}

/**
 * Read through the cache: as new as its time to live (cache.yaml) at the oldest. Null: it has none yet, which is
 * not kept.
 */
export async function latestScoreOf(
  { db, cache, lifetimes }: RepoCacheDeps,
  id: string,
): Promise<LatestScore | null> {
  const kept = readLatestScore(await cache.get(latestScoreKey(id)));
  if (kept !== null) return kept;
  const latest = await findLatestScore(db, id);
  if (latest !== null) await putLatestScore(cache, id, latest, lifetimes());
  return latest;
}

/** Null for an entry that another version of this program may have written in another form. */
function readLatestScore(entry: JsonObject | null): LatestScore | null {
  if (entry === null) return null;
  const { score, formula, commit, computedAt } = entry;
  const isText = (value: unknown) => value === null || typeof value === "string";
  if (typeof score !== "number" || typeof computedAt !== "string") return null;
  if (!isText(formula) || !isText(commit)) return null;
  const texts = { formula: formula as string | null, commit: commit as string | null };
  return { score, ...texts, computedAt: new Date(computedAt) };
}

export interface Warmed {
  /** Entries that there are to keep, and how many were kept. */
  readonly entries: number;
  readonly kept: number;
}

/** Loads the `limit` most recently active repositories with their latest scores (EP-16, BQ-cfg-01). */
export async function warmRepos(
  { db, cache, lifetimes }: RepoCacheDeps,
  limit: number,
): Promise<Warmed> {
  const active = await listActiveRepos(db, limit);
  const kept = await Promise.all(
    active.flatMap(({ repo, latestScore }) => [
      putMetadata(cache, repo, lifetimes()),
      ...(latestScore === null ? [] : [putLatestScore(cache, repo.id, latestScore, lifetimes())]),
    ]),
  );
  return { entries: kept.length, kept: kept.filter(Boolean).length };
}

function metadataKey(id: string): string {
  return `repo:metadata:${id}`;
}

function latestScoreKey(id: string): string {
  return `repo:scores:latest:${id}`;
}

function putMetadata(
  cache: Cache,
  repo: Repo,
  { repoMetadataMs }: CacheLifetimes,
): Promise<boolean> {
  const metadata: JsonObject = { ...repo };
  return cache.set(metadataKey(repo.id), metadata, repoMetadataMs);
}

function putLatestScore(
  cache: Cache,
  id: string,
  latest: LatestScore,
  { repoScoreMs }: CacheLifetimes,
): Promise<boolean> {
  const value = { ...latest, computedAt: latest.computedAt.toISOString() };
  return cache.set(latestScoreKey(id), value, repoScoreMs);
}
