/** What the watchdog saw, as words for people. The key is that of the rule it stands for, so both fold into one incident. */
import { WHOLE } from "../alert/instance.js";
import { formatAge } from "../base/duration.js";
import type { RuntimeWord } from "./runtime-word.js";
import type { WatchdogReport } from "./watchdog.js";

export function wordOfWatchdog({ check, action, ageMs }: WatchdogReport): RuntimeWord {
  const age = ageMs === null ? "never seen" : `${formatAge(ageMs)} ago`;
  const over = action === "resolve";
  return {
    audience: "critical",
    severity: check.severity,
    action,
    key: `${check.name}/${WHOLE}`,
    place: "watchdog",
    message: {
      tone: over ? "good" : "bad",
      title: over ? `Over: ${check.summary}` : check.summary,
      fields: [
        { label: "Alert", value: `${check.id} ${check.name}` },
        { label: "Last sign of life", value: age },
      ],
    },
    details: { alert: check.id, rule: check.name, age_ms: ageMs },
  };
}
