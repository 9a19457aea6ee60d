/** When automation may act: each bound alone, and all of them over hours of causes by chance. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AUTOMATION_DEFAULTS, GUARD_DEFAULTS } from "../../src/policy/defaults.js";
import { type Asked, type Budget, budgetOf, type PastRun } from "../../src/runbook/budget.js";
import { depthOf, judgeAutomation, type Standing } from "../../src/runbook/guard.js";

const NOW = new Date("2026-01-01T12:00:00Z");
const MINUTE = 60_000;
const ago = (ms: number) => new Date(NOW.getTime() - ms);

const BUDGET: Budget = budgetOf(
  {
    ...GUARD_DEFAULTS,
    ...{ cooldownMs: 15 * MINUTE, cooldownAfterFailureMs: 30 * MINUTE },
    ...{ perHourMax: 3, perTargetPerHourMax: 3 },
  },
  AUTOMATION_DEFAULTS,
  1,
);
const STANDING: Standing = { level: "auto", trust: "", breakerOpen: null, stopped: null };
const automation = { name: "backlog", runbook: "respond-queue-backlog" };
const asking = (more: Partial<Asked> = {}): Asked => ({
  ...{ automation, targets: ["queue-index"], causeKey: "incident:Q2" },
  ...{ causeDepth: 0, byOurselves: false },
  ...more,
});

/** A run that succeeded two hours ago, a minute after it was asked for. */
function past(more: Partial<PastRun> & { readonly endedAgo?: number } = {}): PastRun {
  const { endedAgo = 120 * MINUTE, ...rest } = more;
  return {
    ...{ id: "run-1", runbook: automation.runbook, automation: automation.name },
    ...{ targets: ["queue-index"], causeKey: "incident:Q1", causeDepth: 0 },
    ...{ status: "succeeded", verified: true },
    ...{ requestedAt: ago(endedAgo + MINUTE), startedAt: ago(endedAgo), endedAt: ago(endedAgo) },
    ...rest,
  };
}
const open: Partial<PastRun> = { status: "running", verified: null, endedAt: null };

const judge = (
  runs: readonly PastRun[],
  more: { asked?: Partial<Asked>; budget?: Partial<Budget>; standing?: Partial<Standing> } = {},
) =>
  judgeAutomation(
    asking(more.asked),
    { ...BUDGET, ...more.budget },
    runs,
    { ...STANDING, ...more.standing },
    NOW,
  );

describe("a cause", () => {
  test.each<[string, PastRun[], Parameters<typeof judge>[1], string]>([
    ["without a past starts a run", [], {}, "within-budget"],
    [
      "that has a run starts no second one",
      [past({ causeKey: "incident:Q2" })],
      {},
      "already-handled",
    ],
    [
      "that is an alert fires again under its key, and starts another run later",
      [past({ causeKey: "alert:AR-06/all" })],
      { asked: { causeKey: "alert:AR-06/all" } },
      "within-budget",
    ],
    ["joins a run that is at work on the same", [past(open)], {}, "folded"],
    ["joins a run that waits for people", [past({ ...open, status: "queued" })], {}, "folded"],
    [
      "does not join a run that nobody begins: a person is told",
      [past({ ...open, status: "queued", startedAt: null, requestedAt: ago(5 * MINUTE) })],
      {},
      "nobody-works",
    ],
    [
      "joins a run on the whole that its target is a part of",
      [past({ ...open, targets: ["queues"] })],
      {},
      "folded",
    ],
    ["joins one that succeeded a moment ago", [past({ endedAgo: 9 * MINUTE })], {}, "folded"],
    [
      "does not join one that succeeded long ago",
      [past({ endedAgo: 10 * MINUTE })],
      {},
      "cooling-down",
    ],
    [
      "does not join one that failed a moment ago: a person is told",
      [past({ status: "failed", verified: false, endedAgo: MINUTE })],
      {},
      "cooling-down-after-failure",
    ],
    [
      "starts a run of its own on another target",
      [past({ ...open, targets: ["queue-gc"] })],
      {},
      "within-budget",
    ],
    [
      "does not start beside a run of which nobody knows the targets",
      [past({ ...open, targets: [] })],
      {},
      "folded",
    ],
    ["of our own making starts nothing", [], { asked: { byOurselves: true } }, "own-doing"],
    ["that a run of ours led to starts nothing", [], { asked: { causeDepth: 1 } }, "own-doing"],
    [
      "that a run of ours led to may start one where the policy says so",
      [],
      { asked: { causeDepth: 1 }, budget: { depthMax: 2 } },
      "within-budget",
    ],
    ["starts nothing while all is stopped", [], { standing: { stopped: "ann" } }, "stopped"],
    [
      "starts nothing while the breaker is open",
      [],
      { standing: { breakerOpen: "" } },
      "breaker-open",
    ],
    [
      "starts nothing that only people start",
      [],
      { standing: { level: "manual" } },
      "not-promoted",
    ],
    ["starts what people agree to first", [], { standing: { level: "approve" } }, "within-budget"],
    [
      "of too many targets starts nothing",
      [],
      { asked: { targets: ["job-1", "job-2"] } },
      "too-many-targets",
    ],
  ])("%s", (_claim, runs, more, reason) => {
    expect(judge(runs, more)).toMatchObject({ reason, go: reason === "within-budget" });
  });

  test("inherits from the run that it joined", () => {
    expect(judge([past({ ...open, id: "run-7" })]).leader?.id).toBe("run-7");
  });
});

describe("a budget", () => {
  const failed = { status: "failed", verified: false } as const;
  const other = { runbook: "other", automation: "other", targets: ["job-1"] };
  const runs = (count: number, more: Partial<PastRun> = {}) =>
    Array.from({ length: count }, (_, at) =>
      past({ id: `run-${at + 1}`, endedAgo: 50 * MINUTE, ...more }),
    );

  test.each<[string, PastRun[], Partial<Budget>, string]>([
    ["holds within the cool-down", [past({ endedAgo: 15 * MINUTE - 1 })], {}, "cooling-down"],
    ["goes at its end", [past({ endedAgo: 15 * MINUTE })], {}, "within-budget"],
    [
      "holds longer after a failure",
      [past({ ...failed, endedAgo: 30 * MINUTE - 1 })],
      {},
      "cooling-down-after-failure",
    ],
    ["goes at the end of that", [past({ ...failed, endedAgo: 30 * MINUTE })], {}, "within-budget"],
    [
      "holds as long after a person has cancelled a run",
      [past({ status: "cancelled", verified: null, endedAgo: 20 * MINUTE })],
      {},
      "cooling-down-after-failure",
    ],
    [
      "does not count what never began",
      [past({ status: "cancelled", startedAt: null, endedAgo: MINUTE })],
      {},
      "within-budget",
    ],
    ["holds when the hour is spent", runs(3), { perTargetPerHourMax: 9 }, "budget-spent"],
    ["lets the last of it be spent", runs(2), {}, "within-budget"],
    [
      "is one for a runbook that several automations start",
      runs(3, { automation: "other", targets: ["job-1"] }),
      { foldMs: 0 },
      "budget-spent",
    ],
    [
      "is one for a target, whoever works on it",
      runs(3, { ...other, targets: ["queue-index"] }),
      {},
      "target-budget-spent",
    ],
    ["is one for all automation", runs(20, other), {}, "global-budget-spent"],
    [
      "counts what is still open, however long ago it was asked for",
      runs(3, { ...open, startedAt: null, targets: ["queue-gc"], requestedAt: ago(600 * MINUTE) }),
      {},
      "budget-spent",
    ],
  ])("%s", (_claim, history, budget, reason) => {
    expect(judge(history, { budget })).toMatchObject({ reason });
  });

  test("is no larger because a clock went back", () => {
    expect(judge([past({ endedAgo: -MINUTE })], { budget: { foldMs: 0 } })).toMatchObject({
      reason: "cooling-down",
    });
  });

  test("says to people what was found and what was expected", () => {
    expect(judge(runs(3), { budget: { perTargetPerHourMax: 9 } }).sentence).toBe(
      "automation ran respond-queue-backlog 3 times within 1h, and its budget is 3",
    );
  });
});

describe("the way to a cause", () => {
  const depth = (run: Partial<PastRun> & { endedAgo?: number }) =>
    depthOf(asking(), [past({ automation: "other", ...run })], 10 * MINUTE, NOW);

  test.each<[string, Partial<PastRun> & { endedAgo?: number }, number]>([
    ["another automation changed the target just now", { endedAgo: MINUTE }, 1],
    ["it was itself led to by a run", { endedAgo: MINUTE, causeDepth: 2 }, 3],
    ["it still does", { endedAt: null, status: "running" }, 1],
    ["it did so long ago", { endedAgo: 10 * MINUTE }, 0],
    ["it worked on something else", { endedAgo: MINUTE, targets: ["job-1"] }, 0],
    ["it never began", { endedAgo: MINUTE, startedAt: null }, 0],
    ["it was the same automation", { endedAgo: MINUTE, automation: "backlog" }, 0],
  ])("when %s", (_when, run, expected) => {
    expect(depth(run)).toBe(expected);
  });
});

/** Hours of causes; runs begin late, last, fail, or never begin. */
const storm = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 20 * MINUTE }),
    automation: fc.constantFrom("a", "b", "c"),
    runbook: fc.constantFrom("drain", "restart"),
    target: fc.constantFrom("queues", "queue-index", "queue-gc", "job-1"),
    waitsMs: fc.integer({ min: 0, max: 70 * MINUTE }),
    lastsMs: fc.integer({ min: 0, max: 30 * MINUTE }),
    status: fc.constantFrom("succeeded", "failed", "never"),
  }),
  { minLength: 20, maxLength: 120 },
);
type Blow = typeof storm extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

interface Planned {
  readonly blow: Blow;
  readonly id: string;
  readonly at: number;
}

/** As the store would show the run at this time. */
function seenAt({ blow, id, at }: Planned, now: number): PastRun {
  const startsAt = at + blow.waitsMs;
  const endsAt = blow.status === "never" ? startsAt : startsAt + blow.lastsMs;
  const hasStarted = blow.status !== "never" && startsAt <= now;
  return {
    ...{ id, runbook: blow.runbook, automation: blow.automation, targets: [blow.target] },
    ...{ causeKey: `incident:${id}`, causeDepth: 0, verified: null, requestedAt: new Date(at) },
    status:
      endsAt > now
        ? hasStarted
          ? "running"
          : "queued"
        : blow.status === "never"
          ? "cancelled"
          : blow.status,
    startedAt: hasStarted ? new Date(startsAt) : null,
    endedAt: endsAt > now ? null : new Date(endsAt),
  };
}

test("no storm makes automation exceed any of its budgets in any hour", () => {
  const budget: Budget = {
    ...BUDGET,
    ...{
      cooldownMs: MINUTE,
      foldMs: 0,
      perHourMax: 4,
      perTargetPerHourMax: 3,
      globalPerHourMax: 6,
    },
  };
  fc.assert(
    fc.property(storm, (blows) => {
      let now = NOW.getTime();
      const begun: Planned[] = [];
      for (const [place, blow] of blows.entries()) {
        now += blow.afterMs;
        const asked = asking({
          automation: { name: blow.automation, runbook: blow.runbook },
          ...{ targets: [blow.target], causeKey: `incident:${place}` },
        });
        const runs = begun.map((run) => seenAt(run, now));
        if (judgeAutomation(asked, budget, runs, STANDING, new Date(now)).go)
          begun.push({ blow, id: `run-${place}`, at: now });
      }
      const started = begun
        .filter(({ blow }) => blow.status !== "never")
        .map(({ blow, at }) => ({ blow, at: at + blow.waitsMs }));
      for (const { at, blow } of started) {
        const hour = started.filter((run) => run.at > at - 60 * MINUTE && run.at <= at);
        expect(hour.length).toBeLessThanOrEqual(6);
        expect(hour.filter((run) => run.blow.runbook === blow.runbook).length).toBeLessThanOrEqual(
          4,
        );
        expect(hour.filter((run) => run.blow.target === blow.target).length).toBeLessThanOrEqual(3);
      }
    }),
    { numRuns: 50 },
  );
});
