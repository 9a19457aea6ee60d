/** One repository on GitHub, seen through one client. */
import type { GitHubClient } from "./github.js";

export interface GitHubRepository {
  /** What every call about it takes. */
  readonly at: { readonly owner: string; readonly repo: string };
  readonly call: GitHubClient["call"];
}

/** The default branch, asked anew each time: people rename it. */
export async function readHead(
  { at, call }: GitHubRepository,
  signal: AbortSignal,
): Promise<{ branch: string; commit: string }> {
  const { default_branch: branch } = await call(signal, "the repository", (octokit, request) =>
    octokit.rest.repos.get({ ...at, request }),
  );
  return { branch, commit: await readBranch({ at, call }, branch, signal) };
}

/** The commit that a branch points at. */
export async function readBranch(
  { at, call }: GitHubRepository,
  branch: string,
  signal: AbortSignal,
): Promise<string> {
  const { object } = await call(signal, `the branch ${branch}`, (octokit, request) =>
    octokit.rest.git.getRef({ ...at, ref: `heads/${branch}`, request }),
  );
  return object.sha;
}
