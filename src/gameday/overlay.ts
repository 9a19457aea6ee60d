/** What the game day changes in the policy, and says that it did (design 8.14). */
import type { AlertRule, Automation, PolicySet } from "../policy/policy.js";

export const GAME_DAY_PERSON = { team: "T0GAMEDAY", user: "U0GAMEDAY" } as const;
export const QUEUE_DEPTH_RULE = "queue-depth-high";
const BACKLOG_LIMIT = 40;

const TICK_MS = 1_000;
const WINDOW_MS = 3_000;

export interface Overlay {
  readonly policy: PolicySet;
  /** One line a change. */
  readonly described: readonly string[];
}

export function layGameDayOverlay(policy: PolicySet): Overlay {
  return {
    policy: {
      ...policy,
      alerts: policy.alerts.map((rule) =>
        rule.name === QUEUE_DEPTH_RULE ? quickRule(rule) : rule,
      ),
      automation: policy.automation.map((entry) =>
        entry.runbook === "respond-queue-backlog" ? boldAutomation(entry) : entry,
      ),
      access: {
        ...policy.access,
        people: [
          ...policy.access.people,
          {
            name: "gameday",
            role: "operator",
            slack: [`${GAME_DAY_PERSON.team}/${GAME_DAY_PERSON.user}`],
            github: null,
            subjects: [],
            teams: [],
          },
        ],
      },
    },
    described: [
      `${QUEUE_DEPTH_RULE}: average over ${WINDOW_MS / 1000}s above ${BACKLOG_LIMIT} jobs (not 10m above 1000), pages PagerDuty`,
      "respond-queue-backlog: may resume a queue that automation paused, limit lowered to match",
      "samples and alert ticks: each second",
      `access: one Slack user more, ${GAME_DAY_PERSON.team}/${GAME_DAY_PERSON.user}, as operator`,
    ],
  };
}

function quickRule(rule: AlertRule): AlertRule {
  const pending = { metric: "algobrain.jobs.pending", where: {} };
  return {
    ...rule,
    summary: `More than ${BACKLOG_LIMIT} jobs wait for a worker.`,
    everyMs: TICK_MS,
    signal: { form: "agg", fn: "avg", of: pending, overMs: WINDOW_MS, fullWindow: true },
    // The strict one alone: two levels cannot begin at the same number.
    levels: rule.levels.slice(-1).map((level) => ({
      ...level,
      value: BACKLOG_LIMIT,
      forMs: 0,
      notify: ["pagerduty", "ops"],
    })),
    cooldownMs: 0,
    groupWaitMs: 0,
    groupIntervalMs: TICK_MS,
  };
}

function boldAutomation(entry: Automation): Automation {
  return {
    ...entry,
    params: { ...entry.params, resume: true, threshold: BACKLOG_LIMIT, within: 30 },
  };
}
