/** Comments on a pull request, and who we are in them. */
import type { PullRequestComment } from "../review/port.js";
import type { GitHubAuth } from "./github.js";
import { wasAnswered } from "./github-faults.js";
import type { GitHubRepository } from "./github-repository.js";

/** Long comments times this stay below the bound of one answer. */
const PER_PAGE = 30;
/** Ours is among the oldest; nobody reads a discussion of a thousand comments to its end. */
const PAGES_MAX = 34;
/** The token of a workflow's job may not ask who it is. */
const WORKFLOW = "github-actions[bot]";

/** Oldest first. */
export async function listComments(
  { at, call }: GitHubRepository,
  pullRequest: number,
  signal: AbortSignal,
): Promise<PullRequestComment[]> {
  const comments: PullRequestComment[] = [];
  for (let page = 1; page <= PAGES_MAX; page++) {
    const found = await call(signal, "the comments", (octokit, request) =>
      octokit.rest.issues.listComments({
        ...{ ...at, issue_number: pullRequest, per_page: PER_PAGE, page, request },
      }),
    );
    for (const { id, user, body } of found)
      comments.push({ id, author: user?.login ?? "", body: body ?? "" });
    if (found.length < PER_PAGE) break;
  }
  return comments;
}

export async function createComment(
  { at, call }: GitHubRepository,
  pullRequest: number,
  body: string,
  signal: AbortSignal,
): Promise<void> {
  await call(signal, "the comment", (octokit, request) =>
    octokit.rest.issues.createComment({ ...at, issue_number: pullRequest, body, request }),
  );
}

export async function updateComment(
  { at, call }: GitHubRepository,
  id: number,
  body: string,
  signal: AbortSignal,
): Promise<void> {
  await call(signal, "the comment", (octokit, request) =>
    octokit.rest.issues.updateComment({ ...at, comment_id: id, body, request }),
  );
}

/** One that is gone already is no failure: somebody else has tidied up. */
export async function deleteComment(
  { at, call }: GitHubRepository,
  id: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await call(signal, "the comment", (octokit, request) =>
      octokit.rest.issues.deleteComment({ ...at, comment_id: id, request }),
    );
  } catch (error) {
    if (!wasAnswered(error, 404)) throw error;
  }
}

export async function whoAmI(
  { call }: GitHubRepository,
  kind: GitHubAuth["kind"],
  signal: AbortSignal,
): Promise<string> {
  if (kind === "app") {
    const app = await call(signal, "the app", (octokit, request) =>
      octokit.rest.apps.getAuthenticated({ request }),
    );
    return `${app?.slug ?? ""}[bot]`;
  }
  try {
    const { login } = await call(signal, "the user", (octokit, request) =>
      octokit.rest.users.getAuthenticated({ request }),
    );
    return login;
  } catch (error) {
    if (wasAnswered(error, 403, /not accessible by integration/i)) return WORKFLOW;
    throw error;
  }
}
