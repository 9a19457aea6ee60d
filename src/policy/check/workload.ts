/** The numbers of workload.yaml fit each other: weights make one whole, what is asked comes before what is done. */
import { parseBytes, writeBytes } from "../../base/bytes.js";
import { formatDuration } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { WORKLOAD_DEFAULTS } from "../defaults.js";
import {
  descend,
  durationOf,
  entriesOf,
  numberOf,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { show } from "./shape.js";

/** Weights are decimal fractions, and binary sums of those are off by less than this. */
const ROUNDING = 1e-9;
/** A shorter fetch would end before a server far away has counted its objects. */
const FETCH_LEAST_MS = 10_000;

export function checkWorkload(tree: PolicyTree): Problem[] {
  return [
    ...checkWeights(tree),
    ...checkEvidence(tree),
    ...checkSizes(tree),
    ...checkFetchTimeout(tree),
  ];
}

function checkWeights(tree: PolicyTree): Problem[] {
  const node = descend(tree.get("workload"), "scoring", "weights");
  const weights = entriesOf(node).map(([, entry]) => numberOf(entry.node) ?? Number.NaN);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  // Not a number: the shape says what is wrong.
  if (!node || Number.isNaN(sum) || Math.abs(sum - 1) <= ROUNDING) return [];
  const found = Number(sum.toPrecision(9));
  return [problemAt(node.place, `found weights that make ${found} together, expected 1`)];
}

/** Where a pair is merged nobody needs to be asked any more. */
function checkEvidence(tree: PolicyTree): Problem[] {
  const people = descend(tree.get("workload"), "people");
  const [hint, merge] = [descend(people, "hint-at"), descend(people, "merge-at")];
  const hintAt = numberOf(hint) ?? WORKLOAD_DEFAULTS.people.hintAt;
  const mergeAt = numberOf(merge) ?? WORKLOAD_DEFAULTS.people.mergeAt;
  const node = hint ?? merge;
  if (!node || hintAt <= mergeAt) return [];
  const words = `found ${show(node)}, expected hint-at (${hintAt}) within merge-at (${mergeAt})`;
  return [problemAt(node.place, words)];
}

/** A clone that fills the cache alone would push out all others. */
function checkSizes(tree: PolicyTree): Problem[] {
  const repositories = descend(tree.get("workload"), "repositories");
  const [one, all] = [descend(repositories, "largest"), descend(repositories, "cache")];
  const defaults = WORKLOAD_DEFAULTS.repositories;
  const largest = parseBytes(textOf(one) ?? "") ?? defaults.repoBytesMax;
  const cache = parseBytes(textOf(all) ?? "") ?? defaults.cacheBytesMax;
  const node = one ?? all;
  if (!node || largest <= cache) return [];
  const sizes = `largest (${writeBytes(largest)}) within cache (${writeBytes(cache)})`;
  return [problemAt(node.place, `found ${show(node)}, expected ${sizes}`)];
}

function checkFetchTimeout(tree: PolicyTree): Problem[] {
  const node = descend(tree.get("workload"), "repositories", "fetch-timeout");
  const ms = durationOf(node);
  if (!node || ms === undefined || ms >= FETCH_LEAST_MS) return [];
  return [
    problemAt(
      node.place,
      `found ${show(node)}, expected at least ${formatDuration(FETCH_LEAST_MS)}`,
    ),
  ];
}
