import { describe, expect, test } from "vitest";
import { type ReasonCode, whyNotRunning } from "../../src/job/why.js";
import type { WhyFacts } from "../../src/job/why-facts.js";

const NOON = new Date("2026-03-01T12:00:00Z");
const ONE = new Date("2026-03-01T13:00:00Z");

/** A due job of a served kind with room for it: tests say what is otherwise. */
function facts(job: Partial<WhyFacts["job"]>, others: Partial<WhyFacts> = {}): WhyFacts {
  return {
    now: NOON,
    job: {
      ...{ id: "job-7", kind: "index", status: "pending", scheduledAt: NOON, attempts: 0 },
      ...{ startedAt: null, completedAt: null, workerId: null, error: null },
      ...job,
    },
    internal: false,
    rules: { enabled: true, concurrency: 5, globalMax: null },
    cap: 100,
    ...{
      pause: null,
      pauseOfAll: null,
      safeMode: null,
      rate: null,
      dependency: null,
      rollback: null,
      holder: null,
    },
    workers: 2,
    running: { ofKind: 0, inAll: 0 },
    ahead: 0,
    ...others,
  };
}

const pause = { reason: "disk is full", by: "api:ann", until: ONE };
const rules = { enabled: true, concurrency: 5, globalMax: null };

const TABLE: readonly (readonly [string, WhyFacts, readonly ReasonCode[], RegExp])[] = [
  ["nothing in its way", facts({}), ["ready"], /within a moment/],
  ["its time", facts({ scheduledAt: ONE }), ["not-due"], /due at 2026-03-01 13:00:00 UTC, in 1h/],
  [
    "its backoff",
    facts({ scheduledAt: ONE, attempts: 2, error: "git is away" }),
    ["not-due"],
    /after attempt 2 ended so: git is away/,
  ],
  [
    "a type that is off",
    facts({}, { rules: { ...rules, enabled: false }, workers: 0 }),
    ["kind-disabled"],
    /switched off by the policy/,
  ],
  [
    "a type that no policy knows",
    facts({}, { rules: null }),
    ["kind-unknown"],
    /does not know the type index/,
  ],
  [
    "a pause",
    facts({}, { pause }),
    ["paused"],
    /index is paused by api:ann until 2026-03-01 13:00:00 UTC: disk is full/,
  ],
  [
    "a pause without end",
    facts({}, { pause: { ...pause, until: null } }),
    ["paused"],
    /until somebody resumes it/,
  ],
  [
    "a pause of all",
    facts({}, { pauseOfAll: pause, pause }),
    ["all-paused", "paused"],
    /All queues are paused by api:ann/,
  ],
  [
    "safe mode",
    facts({}, { safeMode: { reason: "disk gone", by: "healdec" } }),
    ["safe-mode"],
    /by healdec: disk gone/,
  ],
  [
    "no worker",
    facts({}, { workers: 0 }),
    ["no-worker"],
    /No live worker process takes jobs of the type index/,
  ],
  [
    "a breaker or a rate-limit reset",
    facts(
      { scheduledAt: ONE, error: "x" },
      { dependency: { name: "github", reason: "3 of 4 calls failed" } },
    ),
    ["dependency-closed"],
    /waits for github, which is left alone for now \(3 of 4 calls failed\)/,
  ],
  [
    "the rate of its type",
    facts({}, { rate: { tokens: 0.5, max: 10, perMs: 60_000 } }),
    ["rate-limited"],
    /may start 10 jobs in 1m, and has/,
  ],
  [
    "a limit over all processes",
    facts({}, { rules: { ...rules, globalMax: 1 }, running: { ofKind: 1, inAll: 1 } }),
    ["global-limit"],
    /1 may run at once/,
  ],
  [
    "the limit of all",
    facts({}, { cap: 3, running: { ofKind: 1, inAll: 3 } }),
    ["cap-reached"],
    /cap of 3 jobs over all types/,
  ],
  [
    "slots",
    facts({}, { running: { ofKind: 10, inAll: 10 } }),
    ["slots-full"],
    /All 10 slots for index are taken: 5 in each of 2/,
  ],
  [
    "others before it",
    facts({}, { ahead: 12 }),
    ["queued-behind"],
    /Before it come 12 due jobs of the type index/,
  ],
  [
    "many things: what a person must end comes first",
    facts(
      { scheduledAt: ONE },
      {
        pauseOfAll: pause,
        safeMode: { reason: "x", by: "y" },
        workers: 0,
        ahead: 1,
        cap: 1,
        running: { ofKind: 1, inAll: 1 },
      },
    ),
    ["all-paused", "safe-mode", "no-worker", "not-due", "cap-reached", "queued-behind"],
    /All queues/,
  ],
  [
    "what holds others: the internal lane has no cap",
    facts(
      { kind: "notice" },
      { internal: true, rules: null, cap: 1, running: { ofKind: 1, inAll: 1 } },
    ),
    ["ready"],
    /./,
  ],
  [
    "its end",
    facts({ status: "completed", completedAt: NOON }),
    ["completed"],
    /completed at 2026-03-01 12:00:00 UTC/,
  ],
  ["a failure", facts({ status: "failed", error: "boom" }), ["failed"], /failed for good: boom/],
  [
    "quarantine",
    facts({ status: "quarantined", error: "bad repo_id" }),
    ["quarantined"],
    /quarantined since: bad repo_id/,
  ],
  [
    "a cancel",
    facts({ status: "cancelled", error: "cancelled by ann: no" }),
    ["cancelled"],
    /cancelled by ann: no/,
  ],
];

const held = { status: "running", workerId: "general-worker-3", startedAt: NOON } as const;
const HELD: typeof TABLE = [
  [
    "it runs",
    facts(held, { holder: { alive: true, begun: true } }),
    ["running"],
    /runs on general-worker-3 since 2026/,
  ],
  [
    "a process that does not say",
    facts(held, { holder: { alive: true, begun: null } }),
    ["running"],
    /./,
  ],
  [
    "a buffer",
    facts(held, { holder: { alive: true, begun: false } }),
    ["buffered"],
    /starts it when one of its slots is free/,
  ],
  [
    "a dead process (X-45)",
    facts(held, { holder: { alive: false, begun: true } }),
    ["worker-silent"],
    /beats no more/,
  ],
  [
    "its rollback",
    facts(held, { holder: { alive: true, begun: true }, rollback: { code: "GITHUB_AWAY" } }),
    ["rolling-back"],
    /general-worker-3 takes back what it had half done, since GITHUB_AWAY; its handler does not run/,
  ],
  ["a process that nobody knows", facts(held), ["worker-silent"], /./],
];

test("a job whose rollback was interrupted is told so after what holds it, with what to do then", () => {
  const rollback = { code: "GITHUB_AWAY" };
  const told = [facts({}, { rollback }), facts({ scheduledAt: ONE }, { rollback })].map(
    whyNotRunning,
  );
  expect(told.map((reasons) => reasons.map(({ code }) => code))).toEqual([
    ["ready", "rollback-first"],
    ["not-due", "rollback-first"],
  ]);
  expect(told[0]![1]).toMatchObject({
    sentence: expect.stringMatching(/taken back first, since GITHUB_AWAY/),
    remedy: expect.stringMatching(/jobs retry job-7/),
  });
});

describe("why a job is not running", () => {
  test.each([...TABLE, ...HELD])("%s", (_, known, codes, sentence) => {
    const reasons = whyNotRunning(known);
    expect(reasons.map(({ code }) => code)).toEqual(codes);
    expect(reasons[0]?.sentence).toMatch(sentence);
  });

  test("says when it passes by itself, where that is known, and else what to do", () => {
    const rate = { tokens: 0.5, max: 10, perMs: 60_000 };
    const [waits] = whyNotRunning(facts({}, { rate }));
    expect(waits?.until).toEqual(new Date(NOON.getTime() + 3_000));
    const [stopped] = whyNotRunning(facts({}, { pause }));
    expect(stopped).toMatchObject({ until: ONE, remedy: expect.stringContaining("resume") });
    const [ended] = whyNotRunning(facts({ status: "failed" }));
    expect(ended).toMatchObject({
      until: null,
      remedy: expect.stringContaining("jobs retry job-7"),
    });
  });
});
