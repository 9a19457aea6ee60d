/** Every kind of change: how risky it is, and the sentence for it. */
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/base/json.js";
import { applyChanges } from "../../src/policy/apply.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import type { Operation } from "../../src/policy/change.js";
import { diffPolicies } from "../../src/policy/diff.js";
import { startsPerDay } from "../../src/policy/judge/starts-per-day.js";
import { hasRow } from "../../src/policy/judge.js";
import { entriesByName, isFields, isWhole, namedAt, patternOf } from "../../src/policy/layout.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { byRisk, worstRisk } from "../../src/policy/risk.js";
import { SHIPPED } from "./shipped.js";

function load(environment: string): PolicySet {
  const checked = loadPolicySet(SHIPPED, environment);
  if (!checked.ok) throw new Error(`invalid in ${environment}`);
  return checked.value;
}

const shipped = load("production");

/** The set with one thing done to it. */
function with_(operation: Operation, set: PolicySet = shipped): PolicySet {
  return applyChanges(
    [{ operation, section: "alerts", subject: "", risk: "neutral", words: "" }],
    set,
  );
}

function told(before: PolicySet, after: PolicySet): string[] {
  return diffPolicies(before, after).map(
    ({ risk, subject, words }) => `${risk} | ${subject} | ${words}`,
  );
}

const set = (at: string, after: Json): Operation => ({
  op: "set",
  at: at.split("/"),
  before: null,
  after,
});
const add = (at: string, after: Json, ahead: string | null = null): Operation => ({
  ...{ op: "add", at: at.split("/"), after },
  ahead,
});
const remove = (at: string): Operation => ({ op: "remove", at: at.split("/"), before: null });

const LEVEL = "alerts/queue-depth-high/levels/AR-06";
const QUEUE = "alerts/queue-depth-high";
const TARGET = "scaling/workers/policies/workers-queue-depth-scaling";
const AUTOMATION = "automation/queue-backlog-incident";
const RULE = "access/rules/danger D";

/** Where → what it becomes → what is said. */
const SET: readonly (readonly [string, Json, string])[] = [
  [`${LEVEL}/value`, 1200, "looser | AR-06 queue-depth-high | threshold 1000 → 1200: fires later"],
  [`${LEVEL}/value`, 900, "stricter | AR-06 queue-depth-high | threshold 1000 → 900: fires sooner"],
  [
    "alerts/worker-success-rate-low/levels/AR-01/value",
    0.9,
    "looser | AR-01 worker-success-rate-low | threshold 95 % → 90 %: fires later",
  ],
  [
    "alerts/orchestrator-down/levels/AR-05/value",
    90,
    "looser | AR-05 orchestrator-down | threshold 1m → 1m30s: fires later",
  ],
  [
    `${LEVEL}/op`,
    ">=",
    "stricter | AR-06 queue-depth-high | fires > → >= the threshold: at the threshold too",
  ],
  [
    `${LEVEL}/op`,
    "<",
    "looser | AR-06 queue-depth-high | fires > → < the threshold: on the other side than before",
  ],
  [`${LEVEL}/forMs`, 60_000, "looser | AR-06 queue-depth-high | must hold 0s → 1m: fires later"],
  [
    `${LEVEL}/severity`,
    "sev4",
    "looser | AR-06 queue-depth-high | severity sev2 → sev4: less urgent",
  ],
  [
    `${LEVEL}/severity`,
    "sev1",
    "stricter | AR-06 queue-depth-high | severity sev2 → sev1: more urgent",
  ],
  [
    `${LEVEL}/notify`,
    ["pagerduty"],
    "looser | AR-06 queue-depth-high | no longer told: ops; now also told: pagerduty",
  ],
  [
    `${LEVEL}/notify`,
    ["ops", "oncall"],
    "stricter | AR-06 queue-depth-high | now also told: oncall",
  ],
  [
    `${LEVEL}/recover`,
    { op: "<=", value: 800, forMs: 0 },
    "stricter | AR-06 queue-depth-high | recovers only at op <=, value 800, forMs 0: ends later",
  ],
  [
    `${LEVEL}/runbook`,
    null,
    "neutral | AR-06 queue-depth-high | runbook respond-queue-backlog → none",
  ],
  [`${QUEUE}/everyMs`, 60_000, "looser | queue-depth-high | evaluated every 15s → 1m: fires later"],
  [
    `${QUEUE}/combine`,
    "max",
    "looser | queue-depth-high | series combined by sum → max: measures something else, and its state starts anew",
  ],
  [`${QUEUE}/signal/overMs`, 60_000, "stricter | queue-depth-high | window 10m → 1m: fires sooner"],
  [
    `${QUEUE}/signal/fullWindow`,
    false,
    "stricter | queue-depth-high | full window off: fires sooner",
  ],
  [
    `${QUEUE}/signal`,
    { form: "last", of: { metric: "algobrain.jobs.pending", where: { worker_type: "gc" } } },
    'looser | queue-depth-high | signal avg of algobrain.jobs.pending over 10m → newest algobrain.jobs.pending{worker_type="gc"}: measures something else, and its state starts anew',
  ],
  [
    `${QUEUE}/noData/then`,
    "ok",
    "looser | queue-depth-high | silence means hold → ok: silence counts for less",
  ],
  [
    `${QUEUE}/noData/afterMs`,
    60_000,
    "stricter | queue-depth-high | silence counts after 2m → 1m: noticed sooner",
  ],
  [
    `${QUEUE}/cooldownMs`,
    7_200_000,
    "looser | queue-depth-high | quiet after an end 30m → 2h: told again later",
  ],
  [
    `${QUEUE}/repeatMs`,
    3_600_000,
    "stricter | queue-depth-high | said again every 4h → 1h: repeated more often",
  ],
  [
    "metrics/algobrain.jobs.pending/unit",
    "bytes",
    "looser | metric algobrain.jobs.pending | unit count → bytes: thresholds mean something else",
  ],

  [
    "retention/eventsDays",
    30,
    "irreversible | events_retention_days | kept 90 days → 30 days: what is older than 30 days is deleted",
  ],
  [
    "retention/eventsDays",
    120,
    "neutral | events_retention_days | kept 90 days → 120 days: kept longer",
  ],
  [
    "retention/auditDays",
    400,
    "irreversible | audit_retention_days | kept for ever → 400 days: what is older than 400 days is deleted",
  ],
  [
    "retention/quarantinedJobsWarnDays",
    3,
    "looser | quarantined_jobs_warn_days | warned before 7 days → 3 days: warned later",
  ],

  ["workers/gc/enabled", false, "stricter | worker gc | is off: it stops, its jobs wait"],
  ["workers/index/concurrency", 9, "looser | worker index | concurrency 5 → 9: more at once"],
  [
    "workers/index/globalMax",
    9,
    "stricter | worker index | at once over all processes no bound → 9: fewer at once",
  ],
  [
    "workers/index/rateLimit",
    { max: 10, perMs: 60_000 },
    "stricter | worker index | starts no bound → 10 in 1m: may start less often",
  ],
  [
    "workers/index/timeoutMs",
    60_000,
    "stricter | worker index | may run for 30m → 1m: ended sooner",
  ],
  [
    "workers/index/attemptsMax",
    9,
    "looser | worker index | attempts 5 → 9: tried more often before it fails",
  ],
  [
    "workers/index/target/errorRateMax",
    0.5,
    "looser | worker index | errors allowed 1 % → 50 %: more may fail",
  ],
  ["healing/enabled", false, "looser | healing | healing off: failed jobs stay failed"],
  ["healing/crashMax", 9, "looser | healing | crashes allowed 3 → 9: a job may kill more workers"],
  [
    "healing/strategies/critical",
    "retry",
    "looser | healing | answer escalate → retry: people are not told",
  ],
  [
    "healing/breakers/slack/openMs",
    1000,
    "looser | breaker slack | left alone for 30s → 1s: tried again sooner",
  ],
  [
    "schedules/daily-gc/cron",
    "* * * * *",
    "looser | schedule daily-gc | 20 3 * * * → * * * * *: runs more often",
  ],
  [
    "schedules/daily-gc/cron",
    "20 4 * * *",
    "neutral | schedule daily-gc | 20 3 * * * → 20 4 * * *: at other times",
  ],
  ["cache/defaultMs", 1000, "neutral | cache | kept 1h → 1s"],
  ["adoption/newPagesMax", 50, "looser | adoption | new pages allowed 3 → 50: less is held back"],

  ["scaling/workers/min", 1, "looser | scaling workers | fewest tasks 12 → 1: less in reserve"],
  ["scaling/workers/max", 12, "stricter | scaling workers | most tasks 120 → 12: may grow less"],
  [
    `${TARGET}/target`,
    900,
    "looser | scaling workers, policy workers-queue-depth-scaling | target 500 → 900: grows later",
  ],
  [
    "infrastructure/cluster",
    "other",
    "irreversible | infrastructure | cluster algobrain-prod → other: AWS replaces it, and what was in the old one stays behind",
  ],
  [
    "infrastructure/exportsBucket",
    "other",
    "irreversible | infrastructure | bucket of exports algobrain-exports → other: AWS replaces it, and what was in the old one stays behind",
  ],
  [
    "infrastructure/services/api/memoryMiB",
    2048,
    "neutral | service api | memory 1024 MiB → 2048 MiB: tasks are replaced one by one",
  ],

  [
    "routes/receivers/pagerduty/kind",
    "slack",
    "looser | receiver pagerduty | kind pagerduty → slack: wakes nobody any more",
  ],
  [
    "routes/receivers/ops/channel",
    "#other",
    "looser | receiver ops | channel #algobrain-ops → #other: told elsewhere: make sure that somebody reads there",
  ],
  [
    "routes/escalation/cto/afterMs",
    7_200_000,
    "looser | escalation to cto | called after 1h → 2h: called later",
  ],
  [
    "routes/severities/sev1",
    { by: "nextBusinessDay" },
    "looser | answer to sev1 | within 15m → the next business day: answered later",
  ],
  [
    "routes/runtimeReceivers/critical",
    ["oncall"],
    "looser | routes | critical words of the runtime no longer go to pagerduty",
  ],
  [
    "access/people/Example Viewer/role",
    "admin",
    "looser | person Example Viewer | role viewer → admin: more rights",
  ],
  [
    "access/people/Example Viewer/subjects",
    ["example-viewer", "x"],
    "looser | person Example Viewer | now also speaks as x",
  ],
  [
    "access/serviceRoles/policy",
    "viewer",
    "stricter | access | automation acts as operator → viewer: fewer rights",
  ],
  [
    `${RULE}/role`,
    "viewer",
    "looser | access rule danger D | least role admin → viewer: more rights",
  ],
  [
    `${RULE}/approvals`,
    0,
    "looser | access rule danger D | people who must agree 1 → 0: fewer must agree",
  ],
  [
    `${RULE}/doors`,
    ["slack", "api", "cli", "policy"],
    "looser | access rule danger D | now also through policy",
  ],
  [
    `${AUTOMATION}/guard/perHourMax`,
    60,
    "looser | automation queue-backlog-incident | starts in an hour 3 → 60: starts more often",
  ],
  [
    `${AUTOMATION}/guard/cooldownMs`,
    0,
    "looser | automation queue-backlog-incident | not again within 15m → 0s: starts more often",
  ],
  [
    `${AUTOMATION}/runbook`,
    "list-jobs",
    "looser | automation queue-backlog-incident | runbook respond-queue-backlog → list-jobs: starts by itself in another way",
  ],
];

describe("a changed value", () => {
  it.each(SET)("%s = %j", (at, after, said) => {
    expect(told(shipped, with_(set(at, after)))).toEqual([said]);
  });

  it("is the contrary when it is taken back", () => {
    const opposite = { looser: "stricter", stricter: "looser" } as const;
    const oneWay = /\/op$|recover|runbook|kind|signal|combine|unit|cluster|channel|Bucket/;
    for (const [at, after] of SET.filter(([at]) => !oneWay.test(at))) {
      const changed = with_(set(at, after));
      const [there, back] = [diffPolicies(shipped, changed), diffPolicies(changed, shipped)];
      const risk = there[0]!.risk;
      // A list that loses one and gains one is looser in both directions.
      if (/notify$/.test(at) && there[0]!.words.includes("; ")) continue;
      if (risk === "looser" || risk === "stricter")
        expect([at, back[0]!.risk]).toEqual([at, opposite[risk]]);
    }
  });
});

const RULES = shipped.access.rules;

describe("an entry that comes or goes", () => {
  it.each<[string, Operation, string]>([
    ["a rule that goes", remove(QUEUE), "gone"],
    [
      "a level that comes",
      add("alerts/queue-depth-high/levels/AR-999", {
        ...shipped.alerts[0]!.levels[0]!,
        id: "AR-999",
        name: "other",
      } as unknown as Json),
      "new",
    ],
    [
      "a person that comes",
      add("access/people/Eve", {
        name: "Eve",
        role: "admin",
        slack: [],
        github: null,
        subjects: ["eve"],
      }),
      "looser",
    ],
    ["a person that goes", remove("access/people/Example Viewer"), "stricter"],
    [
      "an automation that comes",
      add("automation/other", {
        ...shipped.automation[0]!,
        name: "other",
        runbook: "list-jobs",
      } as unknown as Json),
      "looser",
    ],
    ["a schedule that goes", remove("schedules/daily-gc"), "gone"],
    [
      "a receiver that comes",
      add("routes/receivers/new", { name: "new", kind: "pagerduty", perMinuteMax: 1 }),
      "new",
    ],
    ["a group that comes", add("access/groups/oncall", "operator"), "looser"],
    ["an escalation step that goes", remove("routes/escalation/cto"), "looser"],
    [
      "an access rule that asks for more than those behind it",
      add(
        "access/rules/list-jobs",
        { runbook: "list-jobs", danger: null, role: "admin", doors: ["cli"], approvals: 2 },
        "danger R",
      ),
      "stricter",
    ],
    [
      "an access rule that gives more",
      add(
        "access/rules/list-jobs",
        { runbook: "list-jobs", danger: null, role: "viewer", doors: ["cli"], approvals: 0 },
        "danger R",
      ),
      "looser",
    ],
    [
      "an access rule that goes, and nothing decides any more",
      remove("access/rules/danger D"),
      "stricter",
    ],
  ])("%s", (_, operation, risk) => {
    const changes = diffPolicies(shipped, with_(operation));
    expect(changes.map((change) => change.risk)).toEqual([risk]);
  });

  it("access rules in another order are looser: the first that matches decides", () => {
    const after = { ...shipped, access: { ...shipped.access, rules: [...RULES].reverse() } };
    expect(worstRisk(diffPolicies(shipped, after))).toBe("looser");
  });
});

describe("the table", () => {
  it("has a row for every value of the shipped policies", () => {
    expect(
      leavesOf(shipped, [])
        .filter((at) => !hasRow(at))
        .map((at) => at.join("/")),
    ).toEqual([]);
  });

  it("puts the worst first and leaves the rest in order", () => {
    const changed = with_(set("retention/eventsDays", 30), with_(set(`${LEVEL}/value`, 900)));
    const changes = diffPolicies(shipped, changed);
    expect(changes.map(({ risk }) => risk)).toEqual(["stricter", "irreversible"]);
    expect(byRisk(changes).map(({ risk }) => risk)).toEqual(["irreversible", "stricter"]);
    expect(worstRisk(changes)).toBe("irreversible");
    expect(worstRisk([])).toBeNull();
  });

  it.each([
    ["* * * * *", 1440],
    ["*/5 * * * *", 288],
    ["0 4 * * 1", 1 / 7],
    ["0 4 * * 0,7", 1 / 7],
    ["0 0-6/2 1 * *", 4 / 31],
    ["10/20 3 * * *", 3],
    ["0 4 * * mon", null],
    ["0 4 * *", null],
  ])("%s starts %s times a day", (cron, times) => {
    const found = startsPerDay(cron);
    if (times === null) expect(found).toBeNull();
    else expect(found).toBeCloseTo(times, 9);
  });
});

/** Names and the two keys that a set is called by say themselves. */
function leavesOf(value: unknown, at: readonly string[]): string[][] {
  const pattern = patternOf(at);
  const named = namedAt(pattern);
  if (named && Array.isArray(value))
    return [...entriesByName(named, value)].flatMap(([name, entry]) =>
      leavesOf(entry, [...at, name]),
    );
  if (isFields(value) && !isWhole(pattern))
    return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...at, key]));
  const isIdentity =
    ["system", "environment"].includes(pattern) ||
    /^alerts\.\*\.(name|levels\.\*\.id|signal\.form)$/.test(pattern);
  return value === undefined || isIdentity || pattern === "metrics.*.name" ? [] : [[...at]];
}
