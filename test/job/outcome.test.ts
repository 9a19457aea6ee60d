import { describe, expect, it } from "vitest";
import { fault } from "../../src/base/fault.js";
import { type Ended, judge } from "../../src/job/outcome.js";

const transient = fault.transient("T", "gone");
const partial = fault.partial("P", "half");
const cases: readonly { says: string; ended: Ended; verdict: string; code?: string }[] = [
  {
    says: "a returned result completes the job",
    ended: { how: "returned", result: { n: 1 }, stop: null },
    verdict: "completed",
  },
  {
    says: "a fault is a failure",
    ended: { how: "threw", fault: transient, stop: null },
    verdict: "faulted",
    code: "T",
  },
  {
    says: "a throw after the deadline is a time-out",
    ended: { how: "threw", fault: transient, stop: "timeout" },
    verdict: "faulted",
    code: "JOB_TIMED_OUT",
  },
  {
    says: "a handler that says it is half done is believed even after the deadline",
    ended: { how: "threw", fault: partial, stop: "timeout" },
    verdict: "faulted",
    code: "P",
  },
  {
    says: "a result after the deadline is a result",
    ended: { how: "returned", result: undefined, stop: "timeout" },
    verdict: "completed",
  },
  {
    says: "a job stopped by our shutdown is given back",
    ended: { how: "threw", fault: transient, stop: "shutdown" },
    verdict: "released",
  },
  {
    says: "a job that finished during our shutdown is done",
    ended: { how: "returned", result: null, stop: "shutdown" },
    verdict: "completed",
  },
  {
    says: "a result of a job that is no longer ours is nothing",
    ended: { how: "returned", result: 1, stop: "lost" },
    verdict: "lost",
  },
];

describe("judge", () => {
  it.each(cases)("$says", ({ ended, verdict, code }) => {
    const outcome = judge(ended, 1_000);
    expect(outcome.verdict).toBe(verdict);
    if (outcome.verdict === "faulted") expect(outcome.fault.code).toBe(code);
  });

  it("keeps a missing result as null", () => {
    expect(judge({ how: "returned", result: undefined, stop: null }, 1)).toEqual({
      verdict: "completed",
      result: null,
    });
  });
});
