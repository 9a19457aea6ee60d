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
import type { DriftMode, PlanException } from "../../src/policy/plan-review.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { byRisk, worstRisk } from "../../src/policy/risk.js";
import { CHANGED_ESTATE } from "../fixture/policy/changed-estate.js";
import { CHANGED_VALUES, LEVEL, QUEUE } from "../fixture/policy/changed-values.js";
import { SHIPPED } from "./shipped.js";

function load(environment: string): PolicySet {
  const checked = loadPolicySet(SHIPPED, environment);
  if (!checked.ok) throw new Error(`invalid in ${environment}`);
  return checked.value;
}

const shipped = load("production");

/** The set with one thing done to it. */
function done(operation: Operation, set: PolicySet = shipped): PolicySet {
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

describe("a changed value", () => {
  const changes = [...CHANGED_VALUES, ...CHANGED_ESTATE];
  it.each(changes)("%s = %j", (at, after, said) => {
    expect(told(shipped, done(set(at, after)))).toEqual([said]);
  });

  it("is the contrary when it is taken back", () => {
    const opposite = { looser: "stricter", stricter: "looser" } as const;
    const oneWay =
      /\/op$|mOf|recover|runbook|kind|signal|combine|unit|cluster|channel|Bucket|nat$|[hH]ost|Class$|nodeType|identity|forwarderArn|backupDays|oldVersionDays|keptImages|scoring/;
    for (const [at, after] of changes.filter(([at]) => !oneWay.test(at))) {
      const changed = done(set(at, after));
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
const APPROVED = { approvers: { role: "admin", team: null }, approvalWithinMs: 1_800_000 };

describe("a level that counts ticks", () => {
  const ticks = (mOf: Json) => done(set(`${LEVEL}/mOf`, mOf));
  it.each<[Json, Json, string]>([
    [
      [3, 5],
      [4, 5],
      "looser | AR-06 queue-depth-high | must hold 3 of 5 ticks → 4 of 5 ticks: fires later",
    ],
    [
      [3, 5],
      [3, 4],
      "looser | AR-06 queue-depth-high | must hold 3 of 5 ticks → 3 of 4 ticks: fires later",
    ],
    [
      [3, 5],
      [2, 5],
      "stricter | AR-06 queue-depth-high | must hold 3 of 5 ticks → 2 of 5 ticks: fires sooner",
    ],
    [
      [3, 5],
      [3, 6],
      "stricter | AR-06 queue-depth-high | must hold 3 of 5 ticks → 3 of 6 ticks: fires sooner",
    ],
    [
      [3, 5],
      [4, 6],
      "looser | AR-06 queue-depth-high | must hold 3 of 5 ticks → 4 of 6 ticks: fires in another way",
    ],
  ])("%j → %j", (was, is, said) => {
    expect(told(ticks(was), ticks(is))).toEqual([said]);
  });
});

describe("a silence", () => {
  const QUIET = {
    ...{ name: "quiet", owner: "example-operator", reason: "The index is moved." },
    starts: "2026-12-01T02:00:00.000Z",
    ends: "2026-12-01T04:00:00.000Z",
    matchers: [{ name: "rule", value: "queue-depth-high", isRegex: false, isEqual: true }],
    silencesPages: false,
  };
  const withSilence = (change: object) => ({ ...shipped, silences: [{ ...QUIET, ...change }] });
  const quiet = withSilence({});
  it.each<[string, PolicySet, PolicySet, string]>([
    [
      "comes",
      shipped,
      quiet,
      'looser | nobody is told of: rule="queue-depth-high" until 2026-12-01T04:00:00.000Z',
    ],
    [
      "goes",
      quiet,
      shipped,
      'stricter | people are told again of: rule="queue-depth-high" until 2026-12-01T04:00:00.000Z',
    ],
    [
      "ends later",
      quiet,
      withSilence({ ends: "2026-12-01T05:00:00.000Z" }),
      "looser | until 2026-12-01T04:00:00.000Z → 2026-12-01T05:00:00.000Z: silent for longer",
    ],
    [
      "begins later",
      quiet,
      withSilence({ starts: "2026-12-01T03:00:00.000Z" }),
      "stricter | from 2026-12-01T02:00:00.000Z → 2026-12-01T03:00:00.000Z: silent for a shorter time",
    ],
    [
      "holds pages back",
      quiet,
      withSilence({ silencesPages: true }),
      "looser | pages are held back: on: nobody is woken",
    ],
    [
      "hides something else",
      quiet,
      withSilence({ matchers: [{ ...QUIET.matchers[0], isEqual: false }] }),
      'looser | rule="queue-depth-high" → rule!="queue-depth-high": silences otherwise',
    ],
    [
      "has another owner",
      quiet,
      withSilence({ owner: "example-admin" }),
      "neutral | owner example-operator → example-admin",
    ],
  ])("that %s", (_, before, after, said) => {
    const [risk, words] = [said.split(" | ")[0], said.split(" | ")[1]];
    expect(told(before, after)).toEqual([`${risk} | silence quiet | ${words}`]);
  });
});

describe("an exception of a plan", () => {
  const MOVE: PlanException = {
    ...{ name: "move", allows: "delete", address: "aws_s3_bucket.exports", environment: "staging" },
    ...{ owner: "example-operator", reason: "It was copied.", expires: "2026-12-01" },
  };
  const having = (change: Partial<PlanException>) => ({
    ...shipped,
    exceptions: [{ ...MOVE, ...change }],
  });
  const words = "delete of aws_s3_bucket.exports in staging until 2026-12-01";
  it.each<[string, PolicySet, PolicySet, string, string]>([
    ["comes", shipped, having({}), "looser", `a plan may do: ${words}`],
    ["goes", having({}), shipped, "stricter", `a plan may not do any more: ${words}`],
    [
      "ends later",
      having({}),
      having({ expires: "2026-12-02" }),
      "looser",
      "until 2026-12-01 → 2026-12-02: let through for longer",
    ],
    [
      "lets something else through",
      having({}),
      having({ address: "aws_s3_bucket.*" }),
      "looser",
      "at aws_s3_bucket.exports → aws_s3_bucket.*: something else is let through",
    ],
  ])("that %s", (_, before, after, risk, said) => {
    expect(told(before, after)).toEqual([`${risk} | exception move | ${said}`]);
  });
});

describe("a class of drift", () => {
  const drifting = (mode: DriftMode) => ({
    ...shipped,
    infrastructure: {
      ...shipped.infrastructure,
      review: {
        ...shipped.infrastructure.review,
        drift: {
          ...shipped.infrastructure.review.drift,
          classes: {
            ...shipped.infrastructure.review.drift.classes,
            tags: { types: ["aws_ecs_service"], mode, why: "For a test." },
          },
        },
      },
    },
  });
  it("that heals is looser than one that reports", () => {
    const [comes] = diffPolicies(shipped, drifting("report"));
    expect(comes).toMatchObject({ risk: "looser", subject: "drift class tags" });
    expect(told(drifting("report"), drifting("heal"))).toEqual([
      "looser | drift class tags | drift is answered by report → heal: more happens without a person",
    ]);
    expect(diffPolicies(drifting("report"), shipped)[0]?.risk).toBe("stricter");
  });
});

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
        ...{ subjects: ["eve"], teams: [] },
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
        {
          ...{ runbook: "list-jobs", danger: null, role: "admin", doors: ["cli"], approvals: 2 },
          ...APPROVED,
        },
        "danger R",
      ),
      "stricter",
    ],
    [
      "an access rule that gives more",
      add(
        "access/rules/list-jobs",
        {
          ...{ runbook: "list-jobs", danger: null, role: "viewer", doors: ["cli"], approvals: 0 },
          ...APPROVED,
        },
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
    const changes = diffPolicies(shipped, done(operation));
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
    const changed = done(set("retention/eventsDays", 30), done(set(`${LEVEL}/value`, 900)));
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
