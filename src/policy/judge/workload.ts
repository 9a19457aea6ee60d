/** What a change of scores, people, clones, backfills, requests to GitHub or care of the database means. */
import { bytes, duration, percent, plain } from "../words.js";
import { SCORE_PARTS } from "../workload.js";
import { amount, exchange, figure, type Meaning, type Rows, toggle } from "./row.js";

/** Rows of another formula or of other weights stand beside the old ones, and mean something else. */
const SCORED_ANEW: Meaning = ["looser", "new scores cannot be compared with those before"];

const SCORE_ROWS: Rows = {
  "workload.scoring.formula": exchange("formula", SCORED_ANEW),
  ...Object.fromEntries(
    SCORE_PARTS.map((part) => [
      `workload.scoring.weights.${part}`,
      amount(`weight of ${part}`, percent, { more: SCORED_ANEW, less: SCORED_ANEW }),
    ]),
  ),
  "workload.people.mergeAt": amount("one person from evidence of", percent, {
    more: ["stricter", "fewer are taken for one"],
    less: ["looser", "more are taken for one"],
  }),
  "workload.people.hintAt": figure("a person is asked from evidence of", percent),
};

const CLONE_ROWS: Rows = {
  "workload.repositories.cacheBytesMax": amount("all clones up to", bytes, {
    more: ["looser", "may fill more of the disk"],
    less: ["stricter", "clones are made anew more often"],
  }),
  "workload.repositories.repoBytesMax": amount("a clone up to", bytes, {
    more: ["looser", "larger repositories are cloned"],
    less: ["stricter", "larger repositories get no people and no score"],
  }),
  "workload.repositories.indexForks": toggle("forks indexed:", {
    on: ["looser", "they get people and scores, too"],
    off: ["stricter", "they get no people and no score"],
  }),
  "workload.repositories.fetchTimeoutMs": amount("a fetch may take", duration, {
    more: ["looser", "ended later when it hangs"],
    less: ["stricter", "ended sooner"],
  }),
};

const CLOSER_TO_REFUSAL = {
  more: ["looser", "GitHub may refuse all for a while"],
  less: ["stricter", "jobs take longer"],
} as const satisfies { more: Meaning; less: Meaning };

const LIVE_WAITS = {
  more: ["looser", "live work may wait longer"],
  less: ["stricter", "live work waits less, and the backfill takes longer"],
} as const satisfies { more: Meaning; less: Meaning };

const PACE_ROWS: Rows = {
  "workload.backfill.openMax": amount("open children of a backfill", plain, LIVE_WAITS),
  "workload.backfill.liveOlderThanMs": amount("gives way to work older than", duration, LIVE_WAITS),
  "workload.github.reserve": amount("requests left to people", percent, {
    more: ["stricter", "jobs stop sooner"],
    less: ["looser", "people may find none left"],
  }),
  "workload.github.inFlight": amount("requests at once", plain, CLOSER_TO_REFUSAL),
  "workload.github.perSecond": amount("requests in a second", plain, CLOSER_TO_REFUSAL),
};

const CARE_ROWS: Rows = {
  "workload.maintenance.backup": toggle("own backups:", {
    on: ["stricter", "the runtime makes them"],
    off: ["looser", "make sure that somebody else does"],
  }),
  "workload.maintenance.backupsKeep": amount("backups kept", plain, {
    more: ["neutral", "older states can be restored"],
    less: ["irreversible", "older ones are deleted"],
  }),
  "workload.maintenance.unusedIndexDays": figure("days until an index counts as unused", plain),
};

export const WORKLOAD_ROWS: Rows = { ...SCORE_ROWS, ...CLONE_ROWS, ...PACE_ROWS, ...CARE_ROWS };
