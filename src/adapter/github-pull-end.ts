/** Ends a pull request without merging it, and says before whose it is. */
import type { PullRequestCommit, PullRequestRef } from "../review/port.js";
import { toRef } from "./github-pull-request.js";
import type { GitHubRepository } from "./github-repository.js";

/** More than one is somebody else's work already. */
const COMMITS_MAX = 5;

/** GitHub takes the same word for one that is closed or merged already, and says so in its answer. */
export async function closePullRequest(
  { at, call }: GitHubRepository,
  pullRequest: number,
  signal: AbortSignal,
): Promise<PullRequestRef> {
  const closed = await call(signal, `the pull request ${pullRequest}`, (octokit, request) =>
    octokit.rest.pulls.update({ ...at, pull_number: pullRequest, state: "closed", request }),
  );
  return toRef(closed);
}

export async function listCommits(
  { at, call }: GitHubRepository,
  pullRequest: number,
  signal: AbortSignal,
): Promise<PullRequestCommit[]> {
  const found = await call(signal, "the commits of the pull request", (octokit, request) =>
    octokit.rest.pulls.listCommits({
      ...{ ...at, pull_number: pullRequest, per_page: COMMITS_MAX, request },
    }),
  );
  return found.map(({ sha, author, committer }) => ({
    sha,
    author: author?.login ?? null,
    committer: committer?.login ?? null,
  }));
}
