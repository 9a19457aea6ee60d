/** GitHub as the host of the policies: the port of the review room, for one repository. */
import type { GitHost } from "../review/port.js";
import { createGitHubClient, type GitHubOptions } from "./github.js";
import {
  createComment,
  deleteComment,
  listComments,
  updateComment,
  whoAmI,
} from "./github-comments.js";
import { createFileReader } from "./github-files.js";
import { readProtection } from "./github-protection.js";
import { closePullRequest, listCommits } from "./github-pull-end.js";
import { findPullRequest, openPullRequest } from "./github-pull-request.js";
import { type GitHubRepository, readHead } from "./github-repository.js";

export interface GitHubHostOptions extends GitHubOptions {
  /** `owner/name`. */
  readonly repository: string;
}

export function createGitHubHost(options: GitHubHostOptions): GitHost {
  const [owner = "", repo = ""] = options.repository.split("/");
  const { call } = createGitHubClient(options);
  const repository: GitHubRepository = { at: { owner, repo }, call };
  const { kind } = options.auth;
  return {
    head: (signal) => readHead(repository, signal),
    readFiles: createFileReader(repository),
    findPullRequest: (branch, signal) => findPullRequest(repository, branch, signal),
    openPullRequest: (wish, signal) => openPullRequest(repository, wish, signal),
    closePullRequest: (pull, signal) => closePullRequest(repository, pull, signal),
    listCommits: (pull, signal) => listCommits(repository, pull, signal),
    listComments: (pull, signal) => listComments(repository, pull, signal),
    createComment: (pull, body, signal) => createComment(repository, pull, body, signal),
    updateComment: (id, body, signal) => updateComment(repository, id, body, signal),
    deleteComment: (id, signal) => deleteComment(repository, id, signal),
    whoAmI: (signal) => whoAmI(repository, kind, signal),
    protection: (branch, signal) => readProtection(repository, branch, signal),
  };
}
