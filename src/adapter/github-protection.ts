/**
 * What GitHub enforces on a branch, from both places where it may stand: branch protection and rulesets. What may
 * not be read is unknown, never on: a failed check must not look like a good one.
 */
import type { Protection } from "../review/port.js";
import { wasAnswered } from "./github-faults.js";
import type { GitHubRepository } from "./github-repository.js";

const UNPROTECTED: Protection = {
  known: true,
  pullRequestRequired: false,
  reviews: 0,
  codeOwners: false,
  staleDismissed: false,
  adminsIncluded: false,
  checks: [],
  forcePush: true,
  deletion: true,
};

export async function readProtection(
  repository: GitHubRepository,
  branch: string,
  signal: AbortSignal,
): Promise<Protection> {
  const [classic, rules] = await Promise.all([
    readBranchProtection(repository, branch, signal),
    readRules(repository, branch, signal),
  ]);
  return combine(classic, rules);
}

/** The stricter of both holds. One that is unknown may only add to the other, so it is left out where that one suffices. */
function combine(classic: Protection | null, rules: Protection | null): Protection {
  const some = classic ?? rules;
  if (some === null) return { ...UNPROTECTED, known: false };
  if (classic === null || rules === null) return { ...some, known: some.pullRequestRequired };
  return {
    known: true,
    pullRequestRequired: classic.pullRequestRequired || rules.pullRequestRequired,
    reviews: Math.max(classic.reviews, rules.reviews),
    codeOwners: classic.codeOwners || rules.codeOwners,
    staleDismissed: classic.staleDismissed || rules.staleDismissed,
    adminsIncluded: classic.adminsIncluded || rules.adminsIncluded,
    checks: [...new Set([...classic.checks, ...rules.checks])].sort(),
    forcePush: classic.forcePush && rules.forcePush,
    deletion: classic.deletion && rules.deletion,
  };
}

/** Null: we may not see it. */
async function readBranchProtection(
  { at, call }: GitHubRepository,
  branch: string,
  signal: AbortSignal,
): Promise<Protection | null> {
  try {
    const found = await call(signal, "the branch protection", (octokit, request) =>
      octokit.rest.repos.getBranchProtection({ ...at, branch, request }),
    );
    const reviews = found.required_pull_request_reviews;
    return {
      known: true,
      pullRequestRequired: reviews !== undefined,
      reviews: reviews?.required_approving_review_count ?? 0,
      codeOwners: reviews?.require_code_owner_reviews === true,
      staleDismissed: reviews?.dismiss_stale_reviews === true,
      adminsIncluded: found.enforce_admins?.enabled === true,
      checks: [...(found.required_status_checks?.contexts ?? [])].sort(),
      forcePush: found.allow_force_pushes?.enabled === true,
      deletion: found.allow_deletions?.enabled === true,
    };
  } catch (error) {
    if (wasAnswered(error, 404, /branch not protected/i)) return UNPROTECTED;
    // Other 404s are how GitHub says no to whoever may not know.
    if (wasAnswered(error, 403) || wasAnswered(error, 404)) return null;
    throw error;
  }
}

/** Null: we may not see them, or this server has none. */
async function readRules(
  repository: GitHubRepository,
  branch: string,
  signal: AbortSignal,
): Promise<Protection | null> {
  const { at, call } = repository;
  try {
    const rules = await call(signal, "the rules of the branch", (octokit, request) =>
      octokit.rest.repos.getBranchRules({ ...at, branch, per_page: 100, request }),
    );
    const pulls = rules.flatMap((rule) => (rule.type === "pull_request" ? [rule] : []));
    const checks = rules.flatMap((rule) =>
      rule.type === "required_status_checks"
        ? (rule.parameters?.required_status_checks ?? []).map(({ context }) => context)
        : [],
    );
    const counts = pulls.map((rule) => rule.parameters?.required_approving_review_count ?? 0);
    return {
      known: true,
      pullRequestRequired: pulls.length > 0,
      reviews: Math.max(0, ...counts),
      codeOwners: pulls.some((rule) => rule.parameters?.require_code_owner_review === true),
      staleDismissed: pulls.some((rule) => rule.parameters?.dismiss_stale_reviews_on_push === true),
      adminsIncluded: await holdForAll(repository, pulls, signal),
      checks,
      forcePush: !rules.some(({ type }) => type === "non_fast_forward"),
      deletion: !rules.some(({ type }) => type === "deletion"),
    };
  } catch (error) {
    if (wasAnswered(error, 403) || wasAnswered(error, 404)) return null;
    throw error;
  }
}

/** True when one of the rulesets lets nobody past; whom it lets past is told only to who may write to it. */
async function holdForAll(
  { at, call }: GitHubRepository,
  rules: readonly { readonly ruleset_id?: number }[],
  signal: AbortSignal,
): Promise<boolean> {
  for (const { ruleset_id: id } of rules) {
    if (id === undefined) continue;
    const ruleset = await call(signal, `the ruleset ${id}`, (octokit, request) =>
      octokit.rest.repos.getRepoRuleset({ ...at, ruleset_id: id, request }),
    );
    if (ruleset.bypass_actors?.length === 0) return true;
  }
  return false;
}
