import { describe, expect, it } from "vitest";
import { FINAL_STATUSES, JOB_STATUSES } from "../../src/job/job.js";
import { MOVES, mayMove, statusAfter } from "../../src/job/transition.js";

describe("job moves", () => {
  it("never lead out of a final state without a person", () => {
    const ours = MOVES.filter(({ by }) => by === "runtime");
    expect(
      ours.flatMap(({ from }) => from).filter((from) => FINAL_STATUSES.includes(from)),
    ).toEqual([]);
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

  it("give the next status, and assert when the move is not legal", () => {
    expect(statusAfter("claim", "pending")).toBe("running");
    expect(() => statusAfter("complete", "pending")).toThrow(
      /no move "complete" from status pending/,
    );
  });
});
