/** What a doctor concludes from what it sees: every examination comes to an end, and every ill has its remedy. */
import { describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import { judgeClock } from "../../src/runtime/doctor/database.js";
import { diagnose, good } from "../../src/runtime/doctor/diagnose.js";
import { judgeDisk, judgeNode } from "../../src/runtime/doctor/machine.js";
import { findingOfVerdict } from "../../src/runtime/doctor/review.js";

const GIB = 1024 ** 3;

describe("an examination", () => {
  test("that throws is a finding with the fault's own remedy, and keeps none of the others", async () => {
    const refused = fault.refused("X_REFUSED", "it does not open", { hint: "turn the key" });
    const diagnoses = await diagnose([
      { what: "door", examine: () => Promise.reject(refused) },
      { what: "wall", examine: () => Promise.reject(new Error("cracks")), remedy: "plaster it" },
      { what: "roof", examine: async () => good("tight") },
    ]);
    expect(diagnoses).toEqual([
      { what: "door", status: "fail", found: "it does not open", remedy: "turn the key" },
      { what: "wall", status: "fail", found: "cracks", remedy: "plaster it" },
      { what: "roof", status: "ok", found: "tight", remedy: null },
    ]);
  });

  test("that never ends is ended", async () => {
    const [diagnosis] = await diagnose(
      [{ what: "well", examine: () => new Promise(() => {}) }],
      20,
    );
    expect(diagnosis).toMatchObject({ status: "fail", found: "no answer within 0.02 s" });
  });
});

describe("judgement", () => {
  test.each([
    ["18.20.0", "fail"],
    ["20.18.9", "fail"],
    ["20.19.0", "ok"],
    ["24.1.0", "ok"],
  ])("of Node.js %s is %s", (version, status) => {
    expect(judgeNode(version).status).toBe(status);
  });

  test.each([
    [GIB / 4, "fail"],
    [GIB, "warn"],
    [2 * GIB, "ok"],
  ])("of %i free bytes is %s", (bytes, status) => {
    expect(judgeDisk("/home", bytes).status).toBe(status);
  });

  test.each([
    ["the same time", 100, "ok"],
    ["2 s ahead of ours", 2_200, "ok"],
    ["more than that", 2_201, "fail"],
    ["2 s behind ours", -2_000, "ok"],
    ["further behind", -2_001, "fail"],
  ])(
    "of a database whose clock shows %s: the time of the question is no difference",
    (_, theirsMs, status) => {
      expect(judgeClock({ askedMs: 0, answeredMs: 200, theirsMs }).status).toBe(status);
    },
  );

  test("says on which side a clock is wrong", () => {
    const seen = { askedMs: 0, answeredMs: 0 };
    expect(judgeClock({ ...seen, theirsMs: 90_000 }).found).toBe("1m30s behind the database's");
    expect(judgeClock({ ...seen, theirsMs: -90_000 }).found).toBe("1m30s ahead of the database's");
  });

  test.each(["off", "unknown"] as const)(
    "of a branch whose protection is %s is never good",
    (verdict) => {
      const finding = findingOfVerdict("acme/policies", {
        branch: "main",
        verdict,
        missing: ["x"],
      });
      expect(finding).toMatchObject({
        status: "fail",
        found: expect.stringContaining("automatic runbooks stay off"),
        remedy: expect.stringMatching(/\w/),
      });
    },
  );
});
