/** What the sections say of each other: every check, with the sections that it reads. */
import type { Problem } from "../../base/problem.js";
import type { Section } from "../schema.js";
import type { PolicyTree } from "../tree.js";
import { checkAccess } from "./access.js";
import { checkAlerts } from "./alerts.js";
import { checkAutomation } from "./automation.js";
import { checkBands } from "./bands.js";
import { checkFlags } from "./flags.js";
import { checkLimits } from "./limits.js";
import { checkNotify } from "./notify.js";
import { checkRoutes } from "./routes.js";
import { checkRunbooks } from "./runbooks.js";
import { checkScaling } from "./scaling.js";
import { checkSchedules } from "./schedules.js";
import { checkWatched } from "./watched.js";

/** What no policy file says. */
export interface Facts {
  /** `2026-11-22`, in UTC; null: flags do not end. */
  readonly today: string | null;
  /** Names of the runbooks' files without their ending; null: nobody has looked. */
  readonly runbookFiles: readonly string[] | null;
}

export const NO_FACTS: Facts = { today: null, runbookFiles: null };

interface Check {
  readonly reads: readonly Section[];
  readonly find: (tree: PolicyTree, facts: Facts) => Problem[];
}

const CHECKS: readonly Check[] = [
  { reads: ["alerts", "metrics"], find: checkAlerts },
  { reads: ["alerts", "metrics"], find: checkBands },
  { reads: ["alerts", "metrics"], find: checkWatched },
  { reads: ["alerts", "routes", "catalogue"], find: checkNotify },
  { reads: ["routes"], find: checkRoutes },
  {
    reads: ["alerts", "automation", "catalogue"],
    find: (tree, { runbookFiles }) => checkRunbooks(tree, runbookFiles),
  },
  { reads: ["access", "catalogue"], find: checkAccess },
  { reads: ["automation", "alerts", "catalogue", "access"], find: checkAutomation },
  { reads: ["schedules", "workers"], find: checkSchedules },
  { reads: ["scaling", "alerts", "metrics"], find: checkScaling },
  {
    reads: ["scaling", "infrastructure", "workers", "healing", "retention", "adoption"],
    find: checkLimits,
  },
  {
    reads: ["flags", "routes", "access"],
    find: (tree, { today }) => checkFlags(tree, today),
  },
];

export function checkSections(tree: PolicyTree, facts: Facts): Problem[] {
  return CHECKS.flatMap(({ find }) => find(tree, facts));
}

/** What `checkSections` does not find in `common` already: a check of the same nodes finds the same. */
export function checkChanged(common: PolicyTree, tree: PolicyTree, facts: Facts): Problem[] {
  const changed = CHECKS.filter(({ reads }) =>
    reads.some((section) => common.get(section) !== tree.get(section)),
  );
  return changed.flatMap(({ find }) => find(tree, facts));
}
