/** Ends the runs that nobody agreed to in time. Any number of orchestrators may do it at once. */
import type { Logger } from "../../base/log.js";
import { expireApprovals, hasLateApprovals } from "../../store/approval-requests.js";
import type { Database } from "../../store/database.js";
import type { Tick } from "../ticker.js";

/** Late by this much at most: the vote that comes in between is judged by its own time. */
const EVERY_MS = 5_000;

export function expireApprovalsTick(deps: { readonly db: Database; readonly log: Logger }): Tick {
  return {
    name: "expire-approvals",
    everyMs: EVERY_MS,
    run: async () => {
      if (!(await hasLateApprovals(deps.db))) return;
      const ended = await deps.db.transaction(expireApprovals);
      for (const id of ended) deps.log.info("approval.expired", { run_id: id });
    },
  };
}
