/** The times by which things run: AWS takes them, and they fit one another. */
import { DAY_MS, formatDuration, HOUR_MS, MINUTE_MS } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { FRONTEND_KEPT, RUNNING_DEFAULTS } from "../running.js";
import { descend, durationOf, type Node, problemAt } from "../tree.js";
import { show } from "./shape.js";

const SECOND_MS = 1_000;

/** Section, key, and the least and the most in milliseconds, by the manuals of ECS, Elastic Load Balancing and CloudFront. */
const BOUNDS: readonly (readonly [string, string, number, number])[] = [
  // Fargate's most, and no less than workers take to put back what they hold.
  ["tasks", "stopTimeout", 30 * SECOND_MS, 2 * MINUTE_MS],
  ["tasks", "checkEvery", 5 * SECOND_MS, 5 * MINUTE_MS],
  ["tasks", "checkTimeout", 2 * SECOND_MS, MINUTE_MS],
  ["tasks", "start", 0, 5 * MINUTE_MS],
  ["balancer", "drain", 0, HOUR_MS],
  ["balancer", "grace", 0, HOUR_MS],
  ["balancer", "checkEvery", 5 * SECOND_MS, 5 * MINUTE_MS],
  ["balancer", "checkTimeout", 2 * SECOND_MS, MINUTE_MS],
  ["frontend", "cached", 0, 365 * DAY_MS],
  // Nothing kept is nothing packed: CloudFront refuses compression then.
  ["frontend", "cachedAtMost", SECOND_MS, 365 * DAY_MS],
];

export function checkRunning(estate: Node): Problem[] {
  const { tasks, balancer } = RUNNING_DEFAULTS;
  return [
    ...BOUNDS.flatMap(([section, key, min, max]) =>
      checkBetween(descend(estate, section, key), min, max),
    ),
    ...checkAnswers(descend(estate, "tasks"), tasks),
    ...checkAnswers(descend(estate, "balancer"), balancer),
    ...checkCached(descend(estate, "frontend")),
  ];
}

function checkBetween(node: Node | undefined, min: number, max: number): Problem[] {
  const ms = durationOf(node);
  if (!node || ms === undefined) return [];
  if (ms % SECOND_MS === 0 && ms >= min && ms <= max) return [];
  const words = `whole seconds, ${formatDuration(min)} to ${formatDuration(max)}`;
  return [problemAt(node.place, `found ${show(node)}, expected ${words}`)];
}

interface Answers {
  readonly checkEveryS: number;
  readonly checkTimeoutS: number;
}

/** Who asks again before the answer is due takes a slow task for a dead one. */
function checkAnswers(section: Node | undefined, defaults: Answers): Problem[] {
  const [timeout, every] = [descend(section, "checkTimeout"), descend(section, "checkEvery")];
  const timeoutMs = durationOf(timeout) ?? defaults.checkTimeoutS * SECOND_MS;
  const everyMs = durationOf(every) ?? defaults.checkEveryS * SECOND_MS;
  const node = timeout ?? every;
  if (!node || timeoutMs < everyMs) return [];
  return [
    problemAt(
      node.place,
      `found checkTimeout ${formatDuration(timeoutMs)} and checkEvery ${formatDuration(everyMs)}, expected checkTimeout < checkEvery`,
    ),
  ];
}

/** CloudFront refuses a default above the most. */
function checkCached(frontend: Node | undefined): Problem[] {
  const [cached, most] = [descend(frontend, "cached"), descend(frontend, "cachedAtMost")];
  const cachedMs = durationOf(cached) ?? FRONTEND_KEPT.cachedS * SECOND_MS;
  const mostMs = durationOf(most) ?? FRONTEND_KEPT.cachedAtMostS * SECOND_MS;
  const node = cached ?? most;
  if (!node || cachedMs <= mostMs) return [];
  return [
    problemAt(
      node.place,
      `found cached ${formatDuration(cachedMs)} and cachedAtMost ${formatDuration(mostMs)}, expected cached ≤ cachedAtMost`,
    ),
  ];
}
