/** Drift of class `propose`: which value of the policies it is, what is told of it, and what the issue says of the answer. */
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/base/json.js";
import type { DriftClass } from "../../../src/policy/plan-review.js";
import { type AnsweredDrift, readAnsweredDrift } from "../../../src/review/infra/answered-drift.js";
import { type DriftReport, judgeDrift } from "../../../src/review/infra/drift.js";
import { type DriftFacts, writeDriftIssue } from "../../../src/review/infra/drift-issue.js";
import {
  type EarlierProposal,
  isOursAlone,
  planProposals,
  wantedOf,
} from "../../../src/review/infra/drift-proposals.js";
import type { KnownDrift } from "../../../src/review/infra/known-drift.js";
import { policyPathOf, policyPathsOf } from "../../../src/review/infra/policy-value.js";
import { driftToTell, whyNotTold } from "../../../src/review/infra/told-drift.js";
import { changeJson, madePlan } from "../../support/plans.js";

const NOW = new Date("2026-11-22T12:00:00Z");
const WORKERS = "aws_appautoscaling_target.workers-scaling-target";
const DATABASE = "aws_rds_cluster.database";
const CLASSES: readonly DriftClass[] = [
  { types: ["aws_appautoscaling_target", "aws_rds_cluster"], mode: "propose", why: "load" },
];

/** What runs, and what the policies say; both known to have been changed outside. */
function drifted(address: string, runs: JsonObject, says: JsonObject, outside = says): DriftReport {
  const changed = changeJson(address, { before: outside, after: runs });
  const plan = madePlan([changeJson(address, { before: runs, after: says })], {
    resource_drift: [changed],
  });
  return judgeDrift(plan, CLASSES, [], NOW);
}

const scaled = () => drifted(WORKERS, { max_capacity: 130 }, { max_capacity: 120 });

function keeps(report: DriftReport) {
  if (report.state === "failed") throw new Error(report.why);
  return report.unknown[0]?.keeps ?? null;
}

function facts(report: DriftReport, answered: AnsweredDrift | null = null): DriftFacts {
  const stacks = [{ stack: "services", report }];
  return { environment: "production", stacks, known: [], unasked: [], answered };
}

describe("a drifted number is a value of the policies", () => {
  test("where one of them is it, as it is", () => {
    expect(keeps(scaled())).toEqual([
      { path: "scaling.workers.max", attribute: "max_capacity", value: 130 },
    ]);
    const capacity = (max: number) => ({
      serverlessv2_scaling_configuration: [{ min_capacity: 1, max_capacity: max }],
    });
    expect(keeps(drifted(DATABASE, capacity(32), capacity(16)))).toMatchObject([
      { path: "infrastructure.aurora.max", value: 32 },
    ]);
  });

  test.each([
    ["how long backups are kept", DATABASE, "backup_retention_period"],
    ["the threshold of an alarm", "aws_cloudwatch_metric_alarm.alarm-AR-06", "threshold"],
    [
      "how long logs are kept",
      "aws_cloudwatch_log_group.api-logs.retention_in_days",
      "retention_in_days",
    ],
    ["another cluster", "aws_rds_cluster.reports", "serverlessv2_scaling_configuration"],
    ["what every object has", WORKERS, "constructor"],
    ["a name that only begins so", `${WORKERS}-2`, "max_capacity"],
  ])("and %s is none", (_, address, attribute) => {
    expect(policyPathOf(address, attribute)).toBeNull();
  });

  test("but not while more differs, nor where the policies are ahead of what runs", () => {
    const more = drifted(
      WORKERS,
      { max_capacity: 130, resource_id: "x" },
      { max_capacity: 120, resource_id: "y" },
    );
    expect(keeps(more)).toBeNull();
    const merged = madePlan([
      changeJson(WORKERS, { before: { max_capacity: 120 }, after: { max_capacity: 100 } }),
    ]);
    expect(keeps(judgeDrift(merged, CLASSES, [], NOW))).toBeNull();
  });

  test("and all paths of a resource are those of its attributes", () => {
    expect(policyPathsOf(WORKERS)).toEqual(["scaling.workers.min", "scaling.workers.max"]);
    expect(policyPathsOf("aws_vpc.network")).toEqual([]);
  });
});

describe("what is told", () => {
  test("is what nobody stands for; what somebody stands for is held", () => {
    expect(driftToTell(facts(scaled()))).toEqual({
      ...{ values: [{ address: WORKERS, attribute: "max_capacity", value: 130 }], held: [] },
    });
    const known: KnownDrift = {
      ...{ address: WORKERS, attribute: "max_capacity", kind: "temporary", owner: "ann" },
      ...{ reason: "INC-7", expires: new Date("2026-11-22T14:00:00Z") },
    };
    const plan = madePlan([
      changeJson(WORKERS, { before: { max_capacity: 130 }, after: { max_capacity: 120 } }),
    ]);
    for (const now of [NOW, new Date("2026-11-22T15:00:00Z")]) {
      const report = judgeDrift(plan, CLASSES, [known], now);
      expect(driftToTell(facts(report))).toEqual({ values: [], held: [WORKERS] });
    }
  });

  test("is nothing when the look is not whole, or nobody said what is known", () => {
    const whole = facts(scaled());
    expect(whyNotTold(whole, true)).toBeNull();
    expect(whyNotTold(whole, false)).toContain("no runtime was asked");
    expect(whyNotTold({ ...whole, unasked: ["x"] }, true)).toContain("not known who stands");
    const failed = { stack: "data", report: { state: "failed", why: "x" } as const };
    const half = { ...whole, stacks: [...whole.stacks, failed] };
    expect(whyNotTold(half, true)).toBe("not every stack could be looked at");
  });
});

describe("of what earlier looks have asked for", () => {
  const earlier = (overrides: Partial<EarlierProposal> = {}): EarlierProposal => ({
    ...{ key: "k", path: "scaling.workers.max", value: 130, state: "open" },
    ...overrides,
  });
  const wanted = wantedOf([{ address: WORKERS, attribute: "max_capacity", value: 130 }])!;

  test.each([
    ["the same value", [earlier()], [], ["k"], []],
    ["another value", [earlier({ value: 110 })], [], [null], ["k"]],
    ["another path", [earlier({ path: "scaling.api.max" })], [], [null], ["k"]],
    [
      "what differs otherwise by now",
      [earlier({ path: "scaling.api.max" })],
      ["aws_appautoscaling_target.api-scaling-target"],
      [null],
      [],
    ],
    [
      "an open one beside a refused one",
      [earlier({ state: "refused" }), earlier({ key: "o" })],
      [],
      ["o"],
      ["k"],
    ],
    [
      "a refused one beside one that is unsure",
      [earlier({ state: "unsure" }), earlier({ key: "r", state: "refused" })],
      [],
      ["r"],
      ["k"],
    ],
  ] as const)("%s", (_, rows, held, counts, withdrawn) => {
    const plan = planProposals(wanted, held, rows);
    expect(plan.wanted.map(([, found]) => found?.key ?? null)).toEqual(counts);
    expect(plan.withdraw.map(({ earlier: { key } }) => key)).toEqual(withdrawn);
  });

  test("nothing is wanted when one value is unknown or there twice", () => {
    const one = { address: WORKERS, attribute: "max_capacity", value: 130 };
    expect(wantedOf([one, { ...one, value: 110 }])).toBeNull();
    expect(wantedOf([{ ...one, attribute: "desired" }])).toBeNull();
    expect(wantedOf([])).toEqual([]);
  });

  test.each([
    ["one commit of ours", [["me", "me"]], true],
    ["one of ours that the host has signed", [["me", "web-flow"]], true],
    ["one that somebody has put in the place of ours", [["me", "bob"]], false],
    ["one of somebody", [["bob", "web-flow"]], false],
    ["one of nobody", [[null, null]], false],
    [
      "two of ours",
      [
        ["me", "me"],
        ["me", "me"],
      ],
      false,
    ],
    ["none", [], false],
  ] as const)("%s: ours alone is %s", (_, commits, isOurs) => {
    const found = commits.map(([author, committer]) => ({ author, committer }));
    expect(isOursAlone(found, "me")).toBe(isOurs);
  });
});

describe("the issue", () => {
  const URL = "https://github.com/acme/shop/pull/12";
  const answered = (outcome: string, why: string | null = null) =>
    readAnsweredDrift({
      proposals: [
        {
          ...{ path: "scaling.workers.max", value: 130, outcome, why },
          pull_request: outcome === "none" ? null : { number: 12, url: URL },
        },
      ],
      ended: [],
    });
  const text = (answer: AnsweredDrift | null) => writeDriftIssue(facts(scaled(), answer));
  const COMMAND = "algobrain policy change scaling.workers.max 130 --env production";

  test("names the pull request instead of the command", () => {
    const found = text(answered("open"));
    expect(found).toContain(`- scaling.workers.max = 130: #12, \`${URL}\``);
    expect(found).not.toContain(COMMAND);
    expect(text(answered("refused", "people have closed #12"))).toContain(": #12: people have");
  });

  test("keeps the command where there is none, and says why", () => {
    expect(text(null)).toContain(COMMAND);
    const none = text(answered("none", "5 are open at most"));
    expect(none).toContain(COMMAND);
    expect(none).toContain("- scaling.workers.max: 5 are open at most");
    const away = text({ why: "the runtime answered 503: <b>no</b> @ann" });
    expect(away).toContain(COMMAND);
    expect(away).toContain("opened no pull request: the runtime answered 503: &lt;b&gt;");
    expect(away).not.toContain("@ann");
  });

  test("tells of those whose drift is no more", () => {
    const ended = { path: "scaling.api.max", number: 9, why: "bob has pushed" } as const;
    const found = text({ proposals: [], ended: [{ ...ended, outcome: "left" }] });
    expect(found).toContain("is left to people: bob has pushed");
  });

  test.each([
    ["a list", []],
    ["another form", { proposals: [{}], ended: [] }],
    ["an address of a script", answerWith("javascript:alert(1)/pull/1")],
    ["an address with mark-up", answerWith("https://x/a/b/pull/1`<b>")],
  ])("believes no answer that is %s", (_, json) => {
    expect(readAnsweredDrift(json)).toBeNull();
  });

  function answerWith(url: string): JsonObject {
    const pull_request = { number: 1, url };
    const proposal = { path: "a.b", value: 1, outcome: "open", why: null, pull_request };
    return { proposals: [proposal], ended: [] };
  }
});
