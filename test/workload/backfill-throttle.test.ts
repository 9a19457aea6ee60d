import { describe, expect, it } from "vitest";
import { WORKLOAD_DEFAULTS } from "../../src/policy/defaults.js";
import { BATCH_CHILDREN, roomFor } from "../../src/workload/backfill-throttle.js";

const PACE = WORKLOAD_DEFAULTS.backfill;
const IDLE = { openChildren: 0, liveWaitMs: null };

describe("a backfill (X-40)", () => {
  it("asks for what fits between the open children and their bound, and for one batch at most", () => {
    expect(roomFor(IDLE, PACE)).toEqual({ room: 200 });
    expect(roomFor({ ...IDLE, openChildren: 190 }, PACE)).toEqual({ room: 10 });
    expect(roomFor(IDLE, { ...PACE, openMax: 10_000 })).toEqual({ room: BATCH_CHILDREN });
  });

  it.each([200, 201])("asks for none while %i are open, and says so", (openChildren) => {
    expect(roomFor({ ...IDLE, openChildren }, PACE)).toEqual({
      holds: `${openChildren} children are open, and 200 may be`,
    });
  });

  it("gives way to live work that has waited too long, and not to what has just come", () => {
    expect(roomFor({ ...IDLE, liveWaitMs: 30_000 }, PACE)).toEqual({ room: 200 });
    expect(roomFor({ ...IDLE, liveWaitMs: 45_400 }, PACE)).toEqual({
      holds: "gives way to a live job of the same kind that has waited 45 s",
    });
  });
});
