/**
 * Which row of `repos` a repository is. GitHub's id comes first, since it survives renames and transfers; then the
 * name, so that a clone in a folder and what GitHub lists are one row; then the name makes a new id.
 */
import type { SourceRepo } from "../job/source-port.js";
import type { Sql } from "../store/database.js";
import { matchRepos, type RepoLookup, type RepoMatch } from "../store/repo-aliases.js";
import { digestId, namedRepoId, parseRemote } from "./remote.js";

export interface RepoName {
  readonly host: string;
  /** Null where only the name is known. */
  readonly githubId: number | null;
  /** `host/owner/name`: see remote. */
  readonly canonical: string;
}

/** As a clone of it would be named by its remote. */
export function nameOf(repo: SourceRepo): RepoName {
  const { host, githubId, cloneUrl, owner, name } = repo;
  const canonical = parseRemote(cloneUrl)?.canonical ?? `${host}/${owner}/${name}`.toLowerCase();
  return { host, githubId, canonical };
}

/** Null: a folder of this machine, or no remote at all. */
export function nameOfRemote(remote: string | null): RepoName | null {
  const canonical = parseRemote(remote)?.canonical;
  if (canonical === undefined) return null;
  return { host: canonical.slice(0, canonical.indexOf("/")), githubId: null, canonical };
}

/** The id of the row of each, in order; of one that has no row yet, the id that it will have. */
export async function findRepoIds(sql: Sql, names: readonly RepoName[]): Promise<string[]> {
  const matches = await matchRepos(sql, names.map(toLookup));
  return matches.map((match, at) => decideId(names[at]!, match));
}

export function toLookup(name: RepoName): RepoLookup {
  return { ...name, plainId: namedRepoId(name.canonical) };
}

export function decideId(name: RepoName, match: RepoMatch): string {
  if (match.byGithubId !== null) return match.byGithubId;
  if (match.byName === null) return namedRepoId(name.canonical);
  const isOther =
    name.githubId !== null &&
    match.githubIdOfName !== null &&
    match.githubIdOfName !== name.githubId;
  // The name was another repository's, which keeps its row: this one is told from it by GitHub's id.
  return isOther ? digestId("repo", `github:${name.host}:${name.githubId}`) : match.byName;
}
