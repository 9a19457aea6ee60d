/** The host of the repository that policies come from, as this configuration reaches it. */
import { createGitHubHost, type GitHubHostOptions } from "../adapter/github-host.js";
import { createGitHubIssues } from "../adapter/github-issues.js";
import type { GitHost, HostBudget, IssueHost } from "../review/port.js";
import type { Config } from "../runtime/config.js";

/** Null: GITOPS_REPO is not set, or there are no credentials. Nothing is called until it is asked something. */
export function openGitHost(config: Config, onBudget?: (seen: HostBudget) => void): GitHost | null {
  const options = hostOptions(config);
  return options === null ? null : createGitHubHost({ ...options, onBudget });
}

/** As `openGitHost`. */
export function openIssueHost(config: Config): IssueHost | null {
  const options = hostOptions(config);
  return options === null ? null : createGitHubIssues(options);
}

function hostOptions({ gitopsRepo, github }: Config): GitHubHostOptions | null {
  if (gitopsRepo === null) return null;
  const { token, app, apiUrl } = github;
  const at = { repository: gitopsRepo, apiUrl };
  if (token !== null) return { ...at, auth: { kind: "token", token } };
  return app === null ? null : { ...at, auth: { kind: "app", ...app } };
}
