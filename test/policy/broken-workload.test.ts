/** What workload.yaml may not say, and at which place that is found. */
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/base/problem.js";
import { checkPolicies, loadPolicySet } from "../../src/policy/bundle.js";
import { WORKLOAD_DEFAULTS } from "../../src/policy/defaults.js";
import { SHIPPED, withEdit } from "./shipped.js";

const PATH = "policies/algobrain/workload.yaml";
const STAGING = "policies/algobrain/environments/staging.yaml";
const FACTS = { today: "2026-11-22", runbookFiles: null };

function said(from: string, to: string) {
  const { files, places } = withEdit(PATH, from, to);
  return { places, found: checkPolicies(files, FACTS).map(formatProblem) };
}

describe("workload.yaml", () => {
  it.each<[string, string, string, string]>([
    [
      "weights that do not make one",
      "weights: # together 1; other weights make scores of another name, beside the old ones\n    activity: 0.25",
      "weights:\n    ¦activity: 0.3",
      "found weights that make 1.05 together, expected 1",
    ],
    [
      "a score that would stand on reviews alone",
      "review: 0.2",
      "review: ¦1",
      "found 1, expected at most 0.5",
    ],
    [
      "a formula that there is not",
      "formula: health-2",
      "formula: ¦health-3",
      'found "health-3", expected one of health-1, health-2 (did you mean "health-1" or "health-2"?)',
    ],
    [
      "people who are one by next to nothing",
      "merge-at: 0.7",
      "merge-at: ¦0.1",
      "found 0.1, expected at least 0.5",
    ],
    [
      "questions about people who are one already",
      "hint-at: 0.4",
      "hint-at: ¦0.8",
      "found 0.8, expected hint-at (0.8) within merge-at (0.7)",
    ],
    [
      "a size that could be meant in two ways",
      "cache: 20GiB",
      "cache: ¦20GB",
      'found "20GB", expected a size such as 512MiB or 2GiB (write 20GiB)',
    ],
    [
      "one clone that is larger than all",
      "largest: 2GiB",
      "largest: ¦21GiB",
      'found "21GiB", expected largest (21GiB) within cache (20GiB)',
    ],
    [
      "no time to fetch",
      "fetch-timeout: 15m",
      "fetch-timeout: ¦1s",
      'found "1s", expected at least 10s',
    ],
    [
      "more requests than GitHub lets one have",
      "per-second: 10",
      "per-second: ¦50",
      "found 50, expected at most 15",
    ],
  ])("with %s is refused at its place", (_, from, to, words) => {
    const { places, found } = said(from, to);
    expect(found).toContain(`${places[0]}: ${words}`);
  });

  it("may be different in one environment, and as a whole left out", () => {
    const without = SHIPPED.filter(({ path }) => path !== PATH);
    const checked = loadPolicySet(without, "staging");
    expect(checked.ok && checked.value.workload).toEqual(WORKLOAD_DEFAULTS);
    const { files } = withEdit(
      STAGING,
      "retention:\n",
      "workload:\n  repositories: { cache: 512MiB, largest: 100MiB }\nretention:\n",
    );
    const [staging, production] = ["staging", "production"].map((name) =>
      loadPolicySet(files, name),
    );
    expect(staging?.ok && staging.value.workload.repositories).toEqual({
      ...WORKLOAD_DEFAULTS.repositories,
      ...{ cacheBytesMax: 512 * 1024 ** 2, repoBytesMax: 100 * 1024 ** 2 },
    });
    expect(production?.ok && production.value.workload).toEqual(WORKLOAD_DEFAULTS);
  });
});
