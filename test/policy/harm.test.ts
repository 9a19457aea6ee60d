/** What the twenty-three of test/fixture/policy/harmful.ts do not show: where the lines are, and what passes. */
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../src/base/json.js";
import { loadFromRaw } from "../../src/policy/from-raw.js";
import { findSilenceHarm } from "../../src/policy/harm/silences.js";
import { findHarm, findRowHarm } from "../../src/policy/harm.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { edited, shippedSections } from "../fixture/policy/sections.js";

const SECTIONS = shippedSections();
const SHIPPED = setOf(SECTIONS);

function setOf(sections: JsonObject): PolicySet {
  const checked = loadFromRaw(sections, "algobrain", "local");
  if (!checked.ok) throw new Error(checked.problems.map(({ message }) => message).join("; "));
  return checked.value;
}

/** Reasons and subjects of one value set, at steps divided by slashes. */
function harmOf(at: string, value: Json): string[] {
  const found = findHarm(SHIPPED, setOf(edited(SECTIONS, { [at]: value })));
  return found.map(({ reason, subject }) => `${reason} ${subject}`);
}

const ERRORS = "alerts/api-error-rate-high/levels/critical";
const SUCCESS = "alerts/worker-success-rate-low/levels/critical";
const HEARTBEAT = "alerts/orchestrator-down/levels/critical";
const ADMIN = "access/people/example-admin";

describe("findHarm", () => {
  it("finds nothing between equal sets", () => {
    expect(findHarm(SHIPPED, SHIPPED)).toEqual([]);
  });

  it.each([
    ["a threshold a little looser", `${ERRORS}/value`, 0.06],
    ["a stricter one", `${ERRORS}/value`, 0.03],
    ["a longer retention", "retention/events_retention_days", 900],
    [
      "a sev2 level that speaks elsewhere",
      "alerts/queue-depth-high/levels/high/notify",
      ["oncall"],
    ],
    ["half the concurrency", "workers/index/concurrency", 3],
    ["a schedule once an hour", "schedules/daily-gc/cron", "20 * * * *"],
    ["an operator more", "access/people/new", { name: "New", role: "operator", subjects: ["new"] }],
    ["stricter limits of adoption", "adoption/newPagesMax", 0],
    [
      "less trust",
      "automation/queue-backlog-incident/trust",
      { level: "approve", because: "it is new here" },
    ],
    ["twice the runs of all automation", "healing/automation/globalPerHourMax", 40],
  ] satisfies [string, string, Json][])("lets pass: %s", (_, at, value) => {
    expect(harmOf(at, value)).toEqual([]);
  });

  it.each([
    ["sev1-looser AR-02 api-error-rate-high", `${ERRORS}/value`, 0.1],
    ["sev1-looser AR-01 worker-success-rate-low", `${SUCCESS}/value`, 0.9],
    ["sev1-looser AR-05 orchestrator-down", `${HEARTBEAT}/value`, "120s"],
    [
      "sev1-looser AR-01 worker-success-rate-low",
      "alerts/worker-success-rate-low/signal/agg/fn",
      "max",
    ],
    ["sev1-silenced AR-01 worker-success-rate-low", `${SUCCESS}/notify`, ["oncall"]],
    [
      "sev1-silenced routes.runtimeReceivers.critical",
      "routes/runtimeReceivers/critical",
      ["oncall"],
    ],
    ["sev1-delayed AR-05 orchestrator-down", `${HEARTBEAT}/for`, "10m"],
    [
      "access-self-granted access.people.Example Viewer",
      "access/people/example-viewer/role",
      "admin",
    ],
    [
      "access-self-granted access.people.Example Admin",
      `${ADMIN}/subjects`,
      ["example-admin", "mallory"],
    ],
    ["access-self-granted access.groups.everybody", "access/groups/everybody", "admin"],
    ["access-self-granted access.serviceRoles.policy", "access/serviceRoles/policy", "admin"],
    ["work-stops workers.index", "workers/index/timeout", "1s"],
    ["work-stops workers.score", "workers/score/rateLimit", { max: 1, per: "1d" }],
    ["healing-off healing.workerDeadAfter", "healing/workerDeadAfter", "5m"],
    ["storm-guards-loosened routes.receivers.ops", "routes/receivers/ops/perMinuteMax", 600],
    ["storm-guards-loosened adoption.probationMs", "adoption/probation", "1m"],
    [
      "automation-unbounded automation.another",
      "automation/another",
      {
        ...{ when: { alert: "AR-06" }, runbook: "queue-depth" },
        guard: { cooldown: "1h", perHourMax: 1 },
        trust: { level: "auto", because: "nobody has seen it run" },
      },
    ],
    [
      "automation-unbounded healing.automation.globalPerHourMax",
      "healing/automation/globalPerHourMax",
      600,
    ],
    ["automation-unbounded healing.automation.depthMax", "healing/automation/depthMax", 5],
    ["storm-guards-loosened monitoring.storm", "monitoring/storm/perMinute", 151],
    [
      "sev1-silenced AR-05 orchestrator-down",
      "alerts/orchestrator-down/inhibitedBy",
      [{ rule: "safe-mode-active" }, { rule: "disk-usage-high" }],
    ],
  ] satisfies [string, string, Json][])("holds: %s", (expected, at, value) => {
    expect(harmOf(at, value)).toContain(expected);
  });
});

it("lets a rule that pages hold back another's page", () => {
  const at = "alerts/orchestrator-down/inhibitedBy";
  expect(harmOf(at, [{ rule: "safe-mode-active" }])).toEqual([]);
  expect(harmOf("monitoring/storm/perMinute", 150)).toEqual([]);
});

describe("findSilenceHarm", () => {
  const NOW = new Date("2026-12-01T03:00:00Z");
  const FIRING = {
    subject: "AR-05 orchestrator-down",
    labels: { rule: "orchestrator-down", alertname: "orchestrator-down", level: "AR-05" },
  };
  const QUIET = {
    starts: "2026-12-01T02:00:00Z",
    ends: "2026-12-01T04:00:00Z",
    owner: "example-operator",
    reason: "The orchestrator is moved.",
    matchers: ["rule=orchestrator-down"],
    silencesPages: true,
  };
  const withSilence = (change: Partial<typeof QUIET>) =>
    setOf(edited(SECTIONS, { silences: { quiet: { ...QUIET, ...change } } }));
  const held = (after: PolicySet, now = NOW, before = SHIPPED) =>
    findSilenceHarm(before, after, [FIRING], now).map(({ sentence }) => sentence);

  it("holds what would hide a page that fires now", () => {
    expect(held(withSilence({}))).toEqual([
      "AR-05 orchestrator-down fires now, and the silence quiet would hide it until 2026-12-01T04:00:00.000Z",
    ]);
  });

  it.each<[string, Partial<typeof QUIET>]>([
    ["one of another rule", { matchers: ["rule=queue-depth-high"] }],
    ["one that holds no pages back", { silencesPages: false }],
    ["one that has not begun", { starts: "2026-12-01T03:00:01Z" }],
    ["one that ends now", { ends: "2026-12-01T03:00:00Z" }],
  ])("lets %s pass", (_, change) => expect(held(withSilence(change))).toEqual([]));

  it("lets one pass that was in force already, and not one that hides more", () => {
    const before = withSilence({ matchers: ["rule=orchestrator-down", "level=AR-05"] });
    expect(held(before, NOW, before)).toEqual([]);
    expect(held(withSilence({}), NOW, before)).toHaveLength(1);
  });

  it("says nothing when nothing fires", () => {
    expect(findSilenceHarm(SHIPPED, withSilence({}), [], NOW)).toEqual([]);
  });
});

describe("findRowHarm", () => {
  const rows = (after: number) => ({ events: { before: 5, after } });

  it("lets what was previewed go, and a tenth more", () => {
    expect(findRowHarm(rows(15), { events: 10 }, 0.1)).toEqual([]);
    expect(findRowHarm(rows(16), { events: 10 }, 0.1)).toEqual([]);
    expect(findRowHarm(rows(17), { events: 10 }, 0.1)).toMatchObject([
      { subject: "retention of events" },
    ]);
  });

  it("lets nothing go that nobody has previewed, and says how much it would be", () => {
    expect(findRowHarm(rows(5), {}, 0.1)).toEqual([]);
    expect(findRowHarm(rows(6), {}, 0.1)[0]?.sentence).toContain("1 more rows");
  });
});
