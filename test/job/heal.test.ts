import { describe, expect, it } from "vitest";
import { type Fault, fault } from "../../src/base/fault.js";
import { findUnstorable } from "../../src/base/storable.js";
import { decideHealing, type HealingInput, type HealingRules } from "../../src/job/heal.js";
import { makePolicy } from "../support/make-policy.js";

const now = new Date("2026-01-28T12:00:00.000Z");
const { healing } = makePolicy();

interface Case {
  readonly says: string;
  readonly fault: Fault;
  readonly attempt?: number;
  readonly crashCount?: number;
  readonly attemptsMax?: number;
  readonly rules?: Partial<HealingRules>;
  readonly reason: string;
  readonly move: string;
  readonly strategy: string | null;
  readonly success?: boolean | null;
  readonly notify?: string | null;
  readonly safeMode?: boolean;
}

const cases: readonly Case[] = [
  {
    says: "a transient fault is retried",
    fault: fault.transient("T", "gone for now"),
    reason: "retry-with-backoff",
    move: "reschedule",
    strategy: "retry",
  },
  {
    says: "a transient fault of the last attempt ends the job, and no action is logged",
    fault: fault.transient("T", "gone for now"),
    attempt: 5,
    reason: "attempts-exhausted",
    move: "fail",
    strategy: null,
  },
  {
    says: "a crash runs again elsewhere",
    fault: fault.crash("C", "worker died"),
    crashCount: 1,
    reason: "restart-elsewhere",
    move: "reschedule",
    strategy: "restart",
  },
  {
    says: "a job that kills its workers is quarantined and people are told",
    fault: fault.crash("C", "worker died"),
    crashCount: 3,
    reason: "kills-its-workers",
    move: "quarantine",
    strategy: "quarantine",
    success: true,
    notify: "operator",
  },
  {
    says: "a crash of a job that may run once ends it",
    fault: fault.crash("C", "worker died"),
    crashCount: 1,
    attemptsMax: 1,
    reason: "attempts-exhausted",
    move: "fail",
    strategy: null,
  },
  {
    says: "bad data is quarantined and people are told",
    fault: fault.data("D", "repo_id names nothing"),
    reason: "bad-data",
    move: "quarantine",
    strategy: "quarantine",
    success: true,
    notify: "operator",
  },
  {
    says: "a half-done job is rolled back, outcome not known yet",
    fault: fault.partial("P", "stopped at step 2 of 3"),
    reason: "half-done",
    move: "rollback",
    strategy: "rollback",
  },
  {
    says: "a critical failure pages and enters safe mode",
    fault: fault.critical("X", "disk gone"),
    reason: "critical",
    move: "fail",
    strategy: "escalate",
    success: true,
    notify: "critical",
    safeMode: true,
  },
  {
    says: "waiting is neither a failure nor a healing action",
    fault: fault.waiting("GITHUB_RATE_LIMITED", "pause", { retryAfterMs: 60_000 }),
    attempt: 5,
    reason: "waits-for-dependency",
    move: "reschedule",
    strategy: null,
  },
  {
    says: "a refused job fails without healing",
    fault: fault.refused("R", "not allowed"),
    reason: "asked-wrongly",
    move: "fail",
    strategy: null,
  },
  {
    says: "with healing off a failing job just fails (HB-env-11)",
    fault: fault.critical("X", "disk gone"),
    rules: { enabled: false },
    reason: "healing-disabled",
    move: "fail",
    strategy: null,
  },
  {
    says: "with healing off waiting still waits",
    fault: fault.waiting("W", "later"),
    rules: { enabled: false },
    reason: "waits-for-dependency",
    move: "reschedule",
    strategy: null,
  },
  {
    says: "the policy may answer a fault by another strategy",
    fault: fault.data("D", "odd"),
    rules: { strategies: { ...healing.strategies, data: "retry" } },
    reason: "retry-with-backoff",
    move: "reschedule",
    strategy: "retry",
  },
];

function input(of: Partial<Case> & { fault: Fault }): HealingInput {
  return {
    fault: of.fault,
    job: { attempt: of.attempt ?? 1, crashCount: of.crashCount ?? 0 },
    healing: { ...healing, ...of.rules },
    kind: { attemptsMax: of.attemptsMax ?? 5 },
    now,
    random: 0.5,
  };
}

describe("decideHealing", () => {
  it.each(cases)("$says", (of) => {
    const decision = decideHealing(input(of));
    expect(decision.reason).toBe(of.reason);
    expect(decision.settle.move).toBe(of.move);
    expect(decision.action?.strategy ?? null).toBe(of.strategy);
    expect(decision.action?.success ?? null).toBe(of.success ?? null);
    expect(decision.notify).toBe(of.notify ?? null);
    expect(decision.action?.operatorNotified ?? false).toBe((of.notify ?? null) !== null);
    expect(decision.entersSafeMode).toBe(of.safeMode ?? false);
  });

  it("waits about 2, 4, 8 s after attempts 1, 2, 3, and never more than the cap", () => {
    const delays = [1, 2, 3, 30].map((attempt) => {
      const decision = decideHealing(
        input({ fault: fault.transient("T", "gone"), attempt, attemptsMax: 99 }),
      );
      return decision.action?.context.backoff_ms;
    });
    expect(delays).toEqual([2_000, 4_000, 8_000, 300_000]);
  });

  it("spreads the retries by the jitter of the policy", () => {
    const late = { ...input({ fault: fault.transient("T", "gone") }), random: 0.999999 };
    const early = { ...input({ fault: fault.transient("T", "gone") }), random: 0 };
    expect(decideHealing(early).action?.context.backoff_ms).toBe(1_800);
    expect(decideHealing(late).action?.context.backoff_ms).toBe(2_200);
  });

  it("tells an error that every database can hold, also where the cut falls into a character", () => {
    const broken = [`${"x".repeat(1_996)}\u{1F600}`, "half \ud83d of it", "null \u0000 byte"];
    for (const message of broken) {
      const { settle } = decideHealing(input({ fault: fault.data("D", message) }));
      const { error } = settle as { readonly error: string };
      expect(error).toMatch(/^D: /);
      expect(findUnstorable(error)).toEqual([]);
    }
  });

  it("excuses a job in a storm of deaths, but not one that dies in all of them", () => {
    const reasonOf = (crashCount: number) =>
      decideHealing({
        ...input({ fault: fault.crash("C", "worker died"), crashCount }),
        death: { isCharged: true, otherDeaths: 50 },
      }).reason;
    expect([3, 8, 9].map(reasonOf)).toEqual([
      "restart-elsewhere",
      "restart-elsewhere",
      "kills-its-workers",
    ]);
  });

  it("comes back no sooner than the dependency asked", () => {
    const asked = fault.transient("T", "busy", { retryAfterMs: 90_000 });
    const settle = decideHealing(input({ fault: asked })).settle;
    expect(settle).toMatchObject({ at: new Date(now.getTime() + 90_000), burnAttempt: true });
  });

  it("burns no attempt for a wait, and is back at the time that was named", () => {
    const asked = fault.waiting("W", "pause", { retryAfterMs: 61_000 });
    const settle = decideHealing({ ...input({ fault: asked }), random: 0 }).settle;
    expect(settle).toMatchObject({ at: new Date(now.getTime() + 61_000), burnAttempt: false });
  });

  it("logs exactly error, backoff and next time, which agree (X-17)", () => {
    const action = decideHealing(
      input({ fault: fault.transient("TIMEOUT", "no answer"), attempt: 2 }),
    ).action;
    expect(action).toEqual({
      failureType: "transient",
      strategy: "retry",
      attemptNumber: 2,
      success: null,
      operatorNotified: false,
      context: {
        error: "TIMEOUT: no answer",
        backoff_ms: 4_000,
        next_retry_at: "2026-01-28T12:00:04.000Z",
      },
    });
  });
});
