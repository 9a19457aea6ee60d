/** Files that are well formed and do not fit one another, or the world. */
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/base/problem.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import { linesOf, SHIPPED, withEdit, withFile, withoutFile } from "./shipped.js";

const SYSTEM = "policies/algobrain";

/** What is wrong → file → old text → new text, `¦` before each place → what is said there. */
const CASES: readonly (readonly [string, string, string, string, readonly string[]])[] = [
  [
    "fewer tasks at most than at least",
    `${SYSTEM}/scaling.yaml`,
    "min: 2\n",
    "min: ¦11\n",
    ["found 11, expected at most max (10)", "found 11, expected at most desired (2)"],
  ],
  [
    "a scaling target above the alert (X-10)",
    `${SYSTEM}/scaling.yaml`,
    "target: 500",
    "target: ¦1000",
    ["found 1000, expected less than 1000, where AR-06 of queue-depth-high fires (X-10)"],
  ],
  [
    "a percentage above 100",
    `${SYSTEM}/scaling.yaml`,
    "target: 70",
    "target: ¦700",
    ["found 700, expected a percentage of at most 100"],
  ],
  [
    "a scaling metric that nobody publishes",
    `${SYSTEM}/scaling.yaml`,
    "name: JobQueueDepth",
    "name: ¦QueueDepth",
    [
      'found the metric "QueueDepth", which no metric of metrics.yaml is published as (name it under cloudwatch: of the metric)',
    ],
  ],
  [
    "a cool-down of half a second",
    `${SYSTEM}/scaling.yaml`,
    "scaleInCooldown: 300s",
    "scaleInCooldown: ¦1500ms",
    ['found "1500ms", expected whole seconds'],
  ],
  [
    "a service that nobody knows",
    `${SYSTEM}/scaling.yaml`,
    "orchestrator:",
    "¦orchestrators:",
    [
      'policies/algobrain/scaling.yaml:5:1: missing key "orchestrator", expected keys and values',
      'unknown key "orchestrators" (did you mean "orchestrator"?)',
    ],
  ],
  [
    "more connections than the server has (X-58)",
    `${SYSTEM}/infrastructure.yaml`,
    "connectionsMax: 3360",
    // 10 of the API twice, 120 workers and a tenth, and two that are alone.
    "connectionsMax: ¦3140",
    [
      "found 3140, expected more than 3140: 154 tasks × poolSize 20 + reserve 60 (X-58) (smaller pools, fewer tasks or a larger server)",
    ],
  ],
  [
    "a size that Fargate does not sell",
    `${SYSTEM}/infrastructure.yaml`,
    "cpu: 512",
    "cpu: ¦600",
    ["found 600, expected one of 256, 512, 1024, 2048, 4096, 8192, 16384"],
  ],
  [
    "too little memory for the processor",
    `${SYSTEM}/infrastructure.yaml`,
    "cpu: 1024, memoryMiB: 2048",
    "cpu: 1024, memoryMiB: ¦1024",
    ["found 1024, expected 2048 to 8192 with cpu 1024"],
  ],
  [
    "a size of memory between two that are offered",
    `${SYSTEM}/infrastructure.yaml`,
    "cpu: 1024, memoryMiB: 2048",
    "cpu: 1024, memoryMiB: ¦2500",
    ["found 2500, expected one of 2048, 3072, 4096, 5120, 6144, 7168, 8192 with cpu 1024"],
  ],
  [
    "a region in words",
    `${SYSTEM}/infrastructure.yaml`,
    "us-east-1",
    "¦virginia",
    ['found "virginia", expected a region such as us-east-1'],
  ],
  [
    "yes instead of true",
    `${SYSTEM}/infrastructure.yaml`,
    "pinInTask: false",
    "pinInTask: ¦no",
    ['found "no", expected true or false (write false)'],
  ],
  [
    "a retention of no days",
    `${SYSTEM}/retention.yaml`,
    "jobs_retention_days: 180",
    "jobs_retention_days: ¦0",
    ["found 0, expected at least 1"],
  ],
  [
    "a quarantine that is about to end from its first day (X-07)",
    `${SYSTEM}/retention.yaml`,
    "quarantined_jobs_warn_days: 7 ",
    "quarantined_jobs_warn_days: ¦30 ",
    [
      "quarantined jobs would be about to go from their first day: they are kept 30 days, and the warning comes 30 before (X-07) (make quarantined_jobs_warn_days less than quarantined_jobs_retention_days)",
    ],
  ],
  [
    "a retention in words",
    `${SYSTEM}/retention.yaml`,
    "events_retention_days: 90",
    "events_retention_days: ¦90 days",
    ['found "90 days", expected a whole number'],
  ],
  [
    "log days that CloudWatch does not take",
    `${SYSTEM}/retention.yaml`,
    "logs_retention_days: 30 ",
    "logs_retention_days: ¦31 ",
    [
      "found 31, expected a number of days that CloudWatch takes: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653 (the nearest is 30)",
    ],
  ],
  [
    "a worker kind that is none",
    `${SYSTEM}/workers.yaml`,
    "backfill:",
    "¦backfil:",
    [
      'policies/algobrain/workers.yaml:8:1: missing key "backfill", expected keys and values',
      'unknown key "backfil" (did you mean "backfill"?)',
    ],
  ],
  ["a worker without targets (X-39)", `${SYSTEM}/workers.yaml`, "audit:\n", "¦audit:\n", []],
  [
    "slots that the global cap never fills",
    `${SYSTEM}/workers.yaml`,
    "concurrency: 1\n",
    "concurrency: ¦5\n",
    ["found 5, expected at most globalMax (1)"],
  ],
  [
    "half a job at once",
    `${SYSTEM}/workers.yaml`,
    "concurrency: 8",
    "concurrency: ¦2.5",
    ["found 2.5, expected a whole number"],
  ],
  [
    "a backoff that begins above its cap",
    `${SYSTEM}/healing.yaml`,
    "base: 1s",
    "base: ¦10m",
    ['found "10m", expected at most cap ("5m")'],
  ],
  [
    "a strategy that is none",
    `${SYSTEM}/healing.yaml`,
    "rollback",
    "¦roll-back",
    [
      'found "roll-back", expected one of retry, restart, quarantine, rollback, escalate (did you mean "rollback"?)',
    ],
  ],
  [
    "a schedule of an unknown kind",
    `${SYSTEM}/schedules.yaml`,
    "kind: gc",
    "kind: ¦gcc",
    ['unknown kind "gcc" (did you mean "gc"?)'],
  ],
  [
    "a cron line of six fields",
    `${SYSTEM}/schedules.yaml`,
    "20 3 * * *",
    "¦0 20 3 * * *",
    ['found "0 20 3 * * *", expected a cron line such as "20 3 * * *": it has not five fields'],
  ],
  [
    "a cron line out of range",
    `${SYSTEM}/schedules.yaml`,
    "20 3 * * *",
    "¦20 33 * * *",
    ['found "20 33 * * *", expected a cron line such as "20 3 * * *": Invalid value for hour: 33'],
  ],
  [
    "a day that never comes",
    `${SYSTEM}/schedules.yaml`,
    "20 3 * * *",
    "¦20 3 30 2 *",
    ['found "20 3 30 2 *", expected a cron line such as "20 3 * * *": it never comes'],
  ],
  [
    "an unknown time zone",
    `${SYSTEM}/schedules.yaml`,
    "kind: gc",
    "kind: gc\n  timeZone: ¦Berlin",
    ['found "Berlin", expected a time zone such as UTC or Europe/Berlin'],
  ],
  [
    "a unit that is none",
    `${SYSTEM}/metrics.yaml`,
    "unit: ms",
    "unit: ¦millis",
    ['found "millis", expected one of ratio, ms, s, count, bytes, timestamp, perMinute'],
  ],
  [
    "a Slack receiver without a channel",
    "policies/routes.yaml",
    'ops: # high and below (HB-alr-07)\n    kind: slack\n    channel: "#algobrain-ops"',
    "¦ops:\n    kind: slack",
    ['missing key "channel", which a slack receiver needs'],
  ],
  [
    "a channel without its hash",
    "policies/routes.yaml",
    '"#algobrain-ops"',
    "¦algobrain-ops",
    ['found "algobrain-ops", expected a channel such as "#algobrain-ops"'],
  ],
  [
    "a channel of PagerDuty",
    "policies/routes.yaml",
    "kind: pagerduty",
    'kind: pagerduty\n    ¦channel: "#x"',
    ['found "channel", which a pagerduty receiver does not use'],
  ],
  [
    "an unknown receiver of the runtime",
    "policies/routes.yaml",
    "operator: [ops]",
    "operator: [¦opps]",
    ['unknown receiver "opps" (did you mean "ops"?)'],
  ],
  [
    "a phone number as a role (X-42)",
    "policies/routes.yaml",
    "role: cto",
    "role: ¦+491701234567",
    ["found +491701234567, expected a role of lower-case letters and dashes, such as tech-lead"],
  ],
  [
    "a display name as an identity",
    "policies/access.yaml",
    "[T00000000/U00000001]",
    '[¦"@ada"]',
    ['found "@ada", expected TEAM/USER ids such as T01234567/U01234567'],
  ],
  [
    "one identity of two people",
    "policies/access.yaml",
    "[T00000000/U00000002]",
    "[¦T00000000/U00000001]",
    ['found the Slack identity "T00000000/U00000001" twice, first at policies/access.yaml:11'],
  ],
  [
    "a rule for a runbook and a danger",
    "policies/access.yaml",
    "- danger: R",
    "- ¦danger: R\n    runbook: queue-depth",
    ["found runbook and danger, expected either runbook or danger"],
  ],
  [
    "a rule for an unknown runbook",
    "policies/access.yaml",
    "runbook: respond-queue-backlog",
    "runbook: ¦respond-backlog",
    [
      'unknown runbook "respond-backlog" (see runbooks/catalogue.yaml)',
      'policies/automation.yaml:12:12: found "respond-queue-backlog", which access.yaml keeps from starting by itself: its rule does not name the door pagerduty',
    ],
  ],
  [
    "a door that is none",
    "policies/access.yaml",
    "doors: [slack, api, cli]",
    "doors: [slack, api, ¦ssh]",
    ['found "ssh", expected one of slack, api, cli, pagerduty, policy'],
  ],
  [
    "an unknown runbook that starts by itself",
    "policies/automation.yaml",
    "runbook: respond-queue-backlog",
    "runbook: ¦queue-backlog",
    ['unknown runbook "queue-backlog" (did you mean "respond-queue-backlog"?)'],
  ],
  [
    "a runbook that access keeps out",
    "policies/automation.yaml",
    "runbook: respond-queue-backlog",
    "runbook: ¦rerun-job",
    [
      'found "rerun-job", which access.yaml keeps from starting by itself: its rule does not name the door pagerduty',
    ],
  ],
  [
    "a runbook that needs more than the door has",
    "policies/automation.yaml",
    "runbook: respond-queue-backlog",
    "runbook: ¦cancel-job",
    [
      'found "cancel-job", which access.yaml keeps from starting by itself: its rule does not name the door pagerduty',
    ],
  ],
  [
    "automation of an unknown alert",
    "policies/automation.yaml",
    "incident:\n      titleIncludes: queue-depth-high\n      dedupKeyPrefix: algobrain/queue-depth-high",
    "alert: ¦AR-96",
    ['unknown alert level "AR-96" (did you mean "AR-06" or "AR-16" or "AR-26"?)'],
  ],
  [
    "automation of everything",
    "policies/automation.yaml",
    "incident:\n      titleIncludes: queue-depth-high\n      dedupKeyPrefix: algobrain/queue-depth-high",
    "¦incident: {}",
    ["found nothing, expected at least one of titleIncludes, dedupKeyPrefix"],
  ],
  [
    "two runbooks of one id",
    "runbooks/catalogue.yaml",
    "RB-02",
    "¦RB-01",
    ['found runbook id "RB-01" twice, first at runbooks/catalogue.yaml:8'],
  ],
  [
    "a state of a runbook that is none",
    "runbooks/catalogue.yaml",
    "status: planned",
    "status: ¦wip",
    ['found "wip", expected one of built, planned'],
  ],
  [
    "an environment that misspells a rule",
    `${SYSTEM}/environments/staging.yaml`,
    "  workers-below-minimum:",
    "  ¦queue-dept-high: { cooldown: 1h }\n  workers-below-minimum:",
    [
      'found "queue-dept-high", which the common policies do not have under alerts (did you mean "queue-depth-high"?)',
    ],
  ],
  [
    "an environment that misspells a file",
    `${SYSTEM}/environments/staging.yaml`,
    "retention:",
    "¦retentions:",
    ['unknown key "retentions" (did you mean "retention"?)'],
  ],
  [
    "an environment that misspells a key",
    `${SYSTEM}/environments/staging.yaml`,
    "jobs_retention_days",
    "¦jobs_retention_day",
    ['unknown key "jobs_retention_day" (did you mean "jobs_retention_days"?)'],
  ],
  [
    "an environment with a wrong unit",
    `${SYSTEM}/environments/staging.yaml`,
    "  workers-below-minimum:",
    "  worker-success-rate-low: { levels: { critical: { value: ¦95 } } }\n  workers-below-minimum:",
    ["found 95, expected a fraction from 0 to 1 (write 0.95)"],
  ],
  [
    "an environment that outgrows its server",
    `${SYSTEM}/environments/staging.yaml`,
    "connectionsMax: 823",
    "connectionsMax: ¦82",
    [
      "found 82, expected more than 440: 19 tasks × poolSize 20 + reserve 60 (X-58) (smaller pools, fewer tasks or a larger server)",
    ],
  ],
];

describe("a policy set", () => {
  it.each(CASES)("with %s is refused at its place", (_, path, from, to, expected) => {
    const { files, places } = withEdit(path, from, to);
    const lines = linesOf(files).map((line) => {
      const place = places.find((candidate) => line.startsWith(`${candidate}: `));
      return place ? line.slice(place.length + 2) : line;
    });
    expect(lines).toEqual(expected);
  });

  it("names a file that is missing", () => {
    expect(linesOf(withoutFile(`${SYSTEM}/healing.yaml`))).toEqual([
      `${SYSTEM}/healing.yaml:0:0: is missing`,
    ]);
  });

  it("does not ignore a file with the wrong name", () => {
    const lines = linesOf([
      ...SHIPPED,
      { path: `${SYSTEM}/heal.yaml`, text: "a: 1\n" },
      { path: `${SYSTEM}/workers.yml`, text: "a: 1\n" },
    ]);
    expect(lines).toEqual([
      `${SYSTEM}/heal.yaml:0:0: no policy file has this name (did you mean "${SYSTEM}/healing.yaml"?)`,
      `${SYSTEM}/workers.yml:0:0: no policy file has this name (name it .yaml)`,
    ]);
  });

  it("says which environments there are", () => {
    const checked = loadPolicySet(SHIPPED, "prod");
    expect(checked.ok ? [] : checked.problems.map(formatProblem)).toEqual([
      `${SYSTEM}/environments/prod.yaml:0:0: is missing (did you mean "production"?)`,
    ]);
  });

  it("tells the problems of several files at once, in order, each once", () => {
    const files = withFile("policies/routes.yaml", "a: 1\n")
      .filter((file) => file.path !== `${SYSTEM}/healing.yaml`)
      .concat({ path: `${SYSTEM}/healing.yaml`, text: "enabled: 'x" });
    expect(linesOf(files)).toEqual([
      `${SYSTEM}/healing.yaml:1:10: found a single quote that is never closed`,
      'policies/routes.yaml:1:1: missing key "receivers", expected keys and values',
      'policies/routes.yaml:1:1: missing key "escalation", expected a list',
      'policies/routes.yaml:1:1: missing key "runtimeReceivers", expected keys and values',
      'policies/routes.yaml:1:1: unknown key "a" (known keys: receivers, escalation, severities, runtimeReceivers)',
    ]);
  });

  it("does not call names unknown because their file is broken", () => {
    for (const path of ["runbooks/catalogue.yaml", `${SYSTEM}/metrics.yaml`])
      expect(linesOf(withFile(path, "x: '"))).toEqual([
        `${path}:1:4: found a single quote that is never closed`,
      ]);
  });

  it("is not drowned by a thousand mistakes of one kind", () => {
    const text = Array.from({ length: 1000 }, (_, at) => `key${at}: 1\n`).join("");
    const lines = linesOf(withFile(`${SYSTEM}/healing.yaml`, text));
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe(`${SYSTEM}/healing.yaml:0:0: has more problems than the 100 shown`);
  });
});
