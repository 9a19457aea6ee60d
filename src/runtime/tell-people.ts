/** The runtime's own words as notices in the outbox: to whom is said in routes.yaml, and once is enough. */
import type { Clock } from "../base/clock.js";
import type { PolicySet } from "../policy/policy.js";
import type { Database, Sql } from "../store/database.js";
import { enqueueNotice, isNoticeTold, type NewNotice } from "../store/notices.js";
import type { RuntimeNotify } from "./runtime-word.js";
import type { WatchdogReport } from "./watchdog.js";

export interface TellPeopleDeps {
  readonly clock: Clock;
  readonly policy: () => PolicySet;
}

/** Processes and retries that say the same within this time say it once. */
const SAME_WORD_MS = 60_000;

export function createRuntimeNotify(deps: TellPeopleDeps): RuntimeNotify {
  return async (sql, word) => {
    const { audience, ...rest } = word;
    const receivers = deps.policy().routes.runtimeReceivers[audience];
    for (const receiver of receivers) {
      const notice = { ...rest, receiver, action: "trigger", reason: "runtime-word" } as const;
      await enqueueOnce(sql, notice, deps.clock);
    }
  };
}

/** For `watchdogTick`: folds with the alert of the same name, should the evaluator see it too. */
export function createWatchdogReport(
  deps: TellPeopleDeps & { readonly db: Database },
): (report: WatchdogReport) => Promise<void> {
  return async (report) => {
    const { routes, system } = deps.policy();
    for (const receiver of routes.runtimeReceivers.critical) {
      await deps.db.transaction((tx) =>
        enqueueOnce(tx, noticeOf(report, receiver, system), deps.clock),
      );
    }
  };
}

function noticeOf(report: WatchdogReport, receiver: string, system: string): NewNotice {
  const { check, action, ageMs } = report;
  const age = ageMs === null ? "never" : `${Math.round(ageMs / 1_000)} s ago`;
  return {
    receiver,
    // The key that the evaluator gives the only instance of this rule.
    dedupKey: `${system}/${check.name}/all`,
    action,
    severity: check.severity,
    source: `${system}/watchdog`,
    message: {
      tone: action === "trigger" ? "bad" : "good",
      title: action === "trigger" ? check.summary : `Over: ${check.summary}`,
      fields: [{ label: "Last sign of life", value: age }],
      footer: `${check.id}, seen by the watchdog`,
    },
    details: { check: check.id, age_ms: ageMs },
    reason: "watchdog",
  };
}

async function enqueueOnce(sql: Sql, notice: NewNotice, clock: Clock): Promise<void> {
  const since = new Date(clock.now().getTime() - SAME_WORD_MS);
  if (!(await isNoticeTold(sql, notice, since))) await enqueueNotice(sql, notice);
}
