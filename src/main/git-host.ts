/** The host of the repository that policies come from, as this configuration reaches it. */
import { createGitHubHost } from "../adapter/github-host.js";
import type { GitHost, HostBudget } from "../review/port.js";
import type { Config } from "../runtime/config.js";

/** Null: GITOPS_REPO is not set, or there are no credentials. Nothing is called until it is asked something. */
export function openGitHost(
  { gitopsRepo, github }: Config,
  onBudget?: (seen: HostBudget) => void,
): GitHost | null {
  if (gitopsRepo === null) return null;
  const { token, app, apiUrl } = github;
  const at = { repository: gitopsRepo, apiUrl, onBudget };
  if (token !== null) return createGitHubHost({ ...at, auth: { kind: "token", token } });
  return app === null ? null : createGitHubHost({ ...at, auth: { kind: "app", ...app } });
}
