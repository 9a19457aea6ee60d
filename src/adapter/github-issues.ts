/** Issues of one repository on GitHub: the port of the review room. */
import type { HostIssue, IssueHost, IssueText } from "../review/port.js";
import { createGitHubClient } from "./github.js";
import { whoAmI } from "./github-comments.js";
import type { GitHubHostOptions } from "./github-host.js";
import type { GitHubRepository } from "./github-repository.js";

/** Long issues times this stay below the bound of one answer. */
const PER_PAGE = 30;
/** A thousand: who has more open will not miss a second one of ours. */
const PAGES_MAX = 34;

export function createGitHubIssues(options: GitHubHostOptions): IssueHost {
  const [owner = "", repo = ""] = options.repository.split("/");
  const { call } = createGitHubClient(options);
  const repository: GitHubRepository = { at: { owner, repo }, call };
  return {
    listOpen: (signal) => listOpen(repository, signal),
    create: (issue, signal) => create(repository, issue, signal),
    update: (number, issue, signal) => update(repository, number, issue, signal),
    close: (number, signal) => close(repository, number, signal),
    whoAmI: (signal) => whoAmI(repository, options.auth.kind, signal),
  };
}

/** GitHub lists pull requests among them. */
async function listOpen({ at, call }: GitHubRepository, signal: AbortSignal): Promise<HostIssue[]> {
  const issues: HostIssue[] = [];
  for (let page = 1; page <= PAGES_MAX; page++) {
    const found = await call(signal, "the issues", (octokit, request) =>
      octokit.rest.issues.listForRepo({
        ...{ ...at, state: "open", sort: "created", direction: "asc" },
        ...{ per_page: PER_PAGE, page, request },
      }),
    );
    for (const { number, user, body, pull_request } of found)
      if (!pull_request) issues.push({ number, author: user?.login ?? "", body: body ?? "" });
    if (found.length < PER_PAGE) break;
  }
  return issues;
}

async function create(
  { at, call }: GitHubRepository,
  { title, body }: IssueText,
  signal: AbortSignal,
): Promise<number> {
  const { number } = await call(signal, "the issue", (octokit, request) =>
    octokit.rest.issues.create({ ...at, title, body, request }),
  );
  return number;
}

async function update(
  { at, call }: GitHubRepository,
  number: number,
  { title, body }: IssueText,
  signal: AbortSignal,
): Promise<void> {
  await call(signal, "the issue", (octokit, request) =>
    octokit.rest.issues.update({ ...at, issue_number: number, title, body, request }),
  );
}

async function close(
  { at, call }: GitHubRepository,
  number: number,
  signal: AbortSignal,
): Promise<void> {
  await call(signal, "the issue", (octokit, request) =>
    octokit.rest.issues.update({
      ...{ ...at, issue_number: number, state: "closed", state_reason: "completed", request },
    }),
  );
}
