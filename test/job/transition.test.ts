import { describe, expect, it } from "vitest";
import { JOB_STATUSES } from "../../src/job/job.js";
import { MOVES, mayMove } from "../../src/job/transition.js";

describe("job moves", () => {
  it("never lead out of a final state without a person", () => {
    const ours = MOVES.filter(({ by }) => by === "runtime");
    expect([...new Set(ours.flatMap(({ from }) => from))].sort()).toEqual(["pending", "running"]);
  });

  it("reach every status, and leave every status that is not completed", () => {
    expect([...new Set(MOVES.map(({ to }) => to))].sort()).toEqual([...JOB_STATUSES].sort());
    const left = new Set(MOVES.flatMap(({ from }) => from));
    expect(JOB_STATUSES.filter((status) => !left.has(status))).toEqual(["completed"]);
  });

  it("refuse to requeue what is running or completed (X-01)", () => {
    expect(JOB_STATUSES.filter((status) => mayMove("requeue", status))).toEqual([
      "failed",
      "quarantined",
      "cancelled",
    ]);
  });

  it("refuse to cancel what is completed (X-79)", () => {
    expect(mayMove("cancel", "completed")).toBe(false);
  });

  it("take a job from its worker only while it runs (X-01)", () => {
    expect(JOB_STATUSES.filter((status) => mayMove("reset", status))).toEqual(["running"]);
  });
});
