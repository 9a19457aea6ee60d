/**
 * What the cache holds of repositories (HB-wrk-17), a key for each of them. Whoever changes a row forgets
 * its entry; where that does not reach (Redis away, another process's memory) the entry ends by its time to live,
 * so nothing that must be true is decided by one.
 */
import { HOUR_MS, MINUTE_MS } from "../base/duration.js";
import type { JsonObject } from "../base/json.js";
import type { Cache } from "../job/port.js";
import { type LatestScore, listActiveRepos } from "../store/active-repos.js";
import type { Sql } from "../store/database.js";
import { findRepo, type LocalRepo } from "../store/repos.js";

const METADATA_TTL_MS = HOUR_MS;
const LATEST_SCORE_TTL_MS = 5 * MINUTE_MS;

interface RepoCacheDeps {
  readonly db: Sql;
  readonly cache: Cache;
}

/**
 * Whether there is a copy of it on this machine. A no is asked for anew each time: the next index may bring one,
 * while a repository that was held once is never given up, only archived.
 */
export async function isRepoHeld({ db, cache }: RepoCacheDeps, id: string): Promise<boolean> {
  if ((await cache.get(metadataKey(id))) !== null) return true;
  const repo = await findRepo(db, id);
  if (repo === null || repo.location === null) return false;
  await putMetadata(cache, { ...repo, location: repo.location });
  return true;
}

export function forgetRepos(cache: Cache, ids: readonly string[]): Promise<void> {
  return cache.delete(...ids.map(metadataKey));
}

export function forgetLatestScore(cache: Cache, id: string): Promise<void> {
  return cache.delete(latestScoreKey(id));
}

export interface Warmed {
  /** Entries that there are to keep, and how many were kept. */
  readonly entries: number;
  readonly kept: number;
}

/** Loads the `limit` most recently active repositories with their latest scores (EP-16, BQ-cfg-01). */
export async function warmRepos({ db, cache }: RepoCacheDeps, limit: number): Promise<Warmed> {
  const active = await listActiveRepos(db, limit);
  const kept = await Promise.all(
    active.flatMap(({ repo, latestScore }) => [
      putMetadata(cache, repo),
      ...(latestScore === null ? [] : [putLatestScore(cache, repo.id, latestScore)]),
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

function putMetadata(cache: Cache, repo: LocalRepo): Promise<boolean> {
  const metadata: JsonObject = { ...repo };
  return cache.set(metadataKey(repo.id), metadata, METADATA_TTL_MS);
}

function putLatestScore(cache: Cache, id: string, latest: LatestScore): Promise<boolean> {
  const value = { ...latest, computedAt: latest.computedAt.toISOString() };
  return cache.set(latestScoreKey(id), value, LATEST_SCORE_TTL_MS);
}
