/** What is left of GitHub's limit (AR-37); nothing while nobody asks GitHub anything. */
import type { GitHubBudget } from "../github-budget.js";
import { gauge, type SampleSource } from "./source.js";

export function githubSource(budget: Pick<GitHubBudget, "remaining">): SampleSource {
  return {
    name: "github",
    collect: async (now) =>
      gauge("algobrain.github.rate_remaining_ratio", budget.remaining(now), now),
  };
}
