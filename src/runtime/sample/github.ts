/** What is left of GitHub's limit (AR-37): of the policies' host as this process saw it, and of what all workers share. Nothing while nobody asks. */
import type { GitHubBudget } from "../github-budget.js";
import { gauge, type SampleSource } from "./source.js";

export function githubSource(
  budget: Pick<GitHubBudget, "remaining">,
  /** Of all workers together, 0 to 1. */
  shared: () => Promise<number | null>,
): SampleSource {
  return {
    name: "github",
    collect: async (now) => {
      const shares = [budget.remaining(now), await shared()];
      const known = shares.filter((share) => share !== null);
      const least = known.length === 0 ? null : Math.min(...known);
      return gauge("algobrain.github.rate_remaining_ratio", least, now);
    },
  };
}
