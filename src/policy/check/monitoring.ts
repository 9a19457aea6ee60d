/** The bounds of monitoring.yaml fit each other. */

import { formatDuration } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { MONITORING_DEFAULTS } from "../defaults.js";
import { descend, durationOf, itemsOf, numberOf, type PolicyTree, problemAt } from "../tree.js";
import { show } from "./shape.js";

export function checkMonitoring(tree: PolicyTree): Problem[] {
  return [...checkSamples(tree), ...checkSilenceLimits(tree), ...checkPaths(tree)];
}

/** A look after a deployment is made again every ten seconds, for five minutes. */
const PATH_MS_LEAST = 100;
const PATH_MS_MOST = 30_000;
/** All are asked at once. */
const PATHS_MAX = 20;

function checkPaths(tree: PolicyTree): Problem[] {
  const { paths, within } = pathsIn(tree);
  const problems: Problem[] = [];
  const count = itemsOf(paths).length;
  if (paths && count > PATHS_MAX)
    problems.push(problemAt(paths.place, `found ${count} paths, expected ${PATHS_MAX} at most`));
  const ms = durationOf(within);
  const wanted = `${formatDuration(PATH_MS_LEAST)} to ${formatDuration(PATH_MS_MOST)}`;
  if (within && ms !== undefined && (ms < PATH_MS_LEAST || ms > PATH_MS_MOST))
    problems.push(problemAt(within.place, `found ${show(within)}, expected ${wanted}`));
  return problems;
}

function pathsIn(tree: PolicyTree) {
  const section = descend(tree.get("monitoring"), "afterDeployment");
  return { paths: descend(section, "paths"), within: descend(section, "within") };
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
