/** What the sections say of each other: every check, with the sections that it reads. */
import type { Problem } from "../../base/problem.js";
import type { Section } from "../schema.js";
import type { PolicyTree } from "../tree.js";
import { checkAccess, checkReached } from "./access.js";
import { checkAlerts } from "./alerts.js";
import { checkAutomation } from "./automation.js";
import { checkBands } from "./bands.js";
import { checkEscalation } from "./escalation.js";
import { checkEstate } from "./estate.js";
import { checkExceptions, checkExpiring } from "./exceptions.js";
import { checkFlags } from "./flags.js";
import { checkBuckets } from "./histograms.js";
import { checkInhibitors } from "./inhibitors.js";
import { checkLimits } from "./limits.js";
import { checkMonitoring } from "./monitoring.js";
import { checkNotify } from "./notify.js";
import { checkRoutes } from "./routes.js";
import { checkCatalogue, checkOrphans } from "./runbooks.js";
import { checkScaling, checkTasksAlert } from "./scaling.js";
import { checkSchedules } from "./schedules.js";
import { checkEnded, checkSilences } from "./silences.js";
import { checkWatched } from "./watched.js";
import { checkWorkload } from "./workload.js";

/** What no policy file says. */
export interface Facts {
  /** `2026-11-22`, in UTC; null: flags, silences and exceptions do not end. */
  readonly today: string | null;
  /** Names of the runbooks' files without their ending; null: nobody has looked. */
  readonly runbookFiles: readonly string[] | null;
}

export const NO_FACTS: Facts = { today: null, runbookFiles: null };

interface Check {
  readonly reads: readonly Section[];
  readonly find: (tree: PolicyTree, facts: Facts) => Problem[];
}

/** Without these a set means nothing, or something impossible. */
const SOUND: readonly Check[] = [
  { reads: ["alerts", "metrics"], find: checkAlerts },
  { reads: ["metrics"], find: checkBuckets },
  { reads: ["alerts"], find: checkInhibitors },
  { reads: ["monitoring"], find: checkMonitoring },
  { reads: ["workload"], find: checkWorkload },
  { reads: ["silences", "monitoring", "access", "alerts"], find: checkSilences },
  { reads: ["infrastructure"], find: checkEstate },
  { reads: ["exceptions", "access"], find: checkExceptions },
  { reads: ["alerts", "routes", "catalogue"], find: checkNotify },
  { reads: ["routes"], find: checkRoutes },
  { reads: ["catalogue"], find: checkCatalogue },
  { reads: ["access", "catalogue"], find: checkAccess },
  { reads: ["automation", "alerts", "catalogue", "access"], find: checkAutomation },
  { reads: ["schedules", "workers"], find: checkSchedules },
  { reads: ["scaling", "alerts", "metrics"], find: checkScaling },
  {
    reads: ["scaling", "infrastructure", "workers", "healing", "retention", "adoption"],
    find: checkLimits,
  },
];

/**
 * What a review does not let pass, though a runtime can work with it: a program that starts at night, or is given a
 * bundle of an older version, must not refuse a set because nobody watches a metric.
 */
const REVIEW: readonly Check[] = [
  { reads: ["alerts", "metrics"], find: checkBands },
  { reads: ["alerts", "metrics"], find: checkWatched },
  { reads: ["routes"], find: checkEscalation },
  {
    reads: ["alerts", "automation", "catalogue"],
    find: (tree, { runbookFiles }) => checkOrphans(tree, runbookFiles),
  },
  { reads: ["access", "catalogue"], find: checkReached },
  { reads: ["scaling", "alerts"], find: checkTasksAlert },
  {
    reads: ["flags", "routes", "access"],
    find: (tree, { today }) => checkFlags(tree, today),
  },
  { reads: ["silences"], find: (tree, { today }) => checkEnded(tree, today) },
  { reads: ["exceptions"], find: (tree, { today }) => checkExpiring(tree, today) },
];

/** Empty for a set that a runtime can work with. */
export function checkSections(tree: PolicyTree): Problem[] {
  return SOUND.flatMap(({ find }) => find(tree, NO_FACTS));
}

/** What `checkSections` does not find in `common` already: a check of the same nodes finds the same. */
export function checkChanged(common: PolicyTree, tree: PolicyTree): Problem[] {
  return changed(SOUND, common, tree).flatMap(({ find }) => find(tree, NO_FACTS));
}

/** Empty for a set that may be merged. */
export function reviewSections(tree: PolicyTree, facts: Facts): Problem[] {
  return [...SOUND, ...REVIEW].flatMap(({ find }) => find(tree, facts));
}

/** What `reviewSections` does not find in `common` already. */
export function reviewChanged(common: PolicyTree, tree: PolicyTree, facts: Facts): Problem[] {
  return changed([...SOUND, ...REVIEW], common, tree).flatMap(({ find }) => find(tree, facts));
}

function changed(checks: readonly Check[], common: PolicyTree, tree: PolicyTree): Check[] {
  return checks.filter(({ reads }) =>
    reads.some((section) => common.get(section) !== tree.get(section)),
  );
}
