/** The bounds of monitoring.yaml fit each other. */

import { formatDuration } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { MONITORING_DEFAULTS } from "../defaults.js";
import { descend, durationOf, numberOf, type PolicyTree, problemAt } from "../tree.js";
import { show } from "./shape.js";

export function checkMonitoring(tree: PolicyTree): Problem[] {
  return [...checkSamples(tree), ...checkSilenceLimits(tree)];
}

/** One metric may not be given more than all of them have. */
function checkSamples(tree: PolicyTree): Problem[] {
  const samples = descend(tree.get("monitoring"), "samples");
  const [all, one] = [descend(samples, "seriesMax"), descend(samples, "perMetricMax")];
  const most = numberOf(all) ?? MONITORING_DEFAULTS.samples.seriesMax;
  const least = numberOf(one) ?? MONITORING_DEFAULTS.samples.perMetricMax;
  const node = one ?? all;
  return !node || least <= most
    ? []
    : [
        problemAt(
          node.place,
          `found ${show(node)}, expected perMetricMax (${least}) within seriesMax (${most})`,
        ),
      ];
}

/** Nobody is left unwoken for longer than untold. */
function checkSilenceLimits(tree: PolicyTree): Problem[] {
  const silences = descend(tree.get("monitoring"), "silences");
  const [longest, pages] = [descend(silences, "longest"), descend(silences, "longestPages")];
  const mostMs = durationOf(longest) ?? MONITORING_DEFAULTS.silences.longestMs;
  const pagesMs = durationOf(pages) ?? MONITORING_DEFAULTS.silences.longestPagesMs;
  const node = pages ?? longest;
  return !node || pagesMs <= mostMs
    ? []
    : [
        problemAt(
          node.place,
          `found ${show(node)}, expected longestPages (${formatDuration(pagesMs)}) within longest (${formatDuration(mostMs)})`,
        ),
      ];
}
