/** A deployment at full load takes no more connections than the server has, and can always move. */
import { describe, expect, test } from "vitest";
import { rollingOf, tasksAtMost } from "../../src/policy/rolling.js";
import { SERVICES } from "../../src/policy/services.js";

describe("a deployment", () => {
  const MINIMA = [1, 2, 3, 9, 10, 12, 120];
  test.each(MINIMA.flatMap((min) => [100, 101, 110, 133, 200].map((percent) => [min, percent])))(
    "of workers that are %d at least, and %d percent at most, can move at any size",
    (min, percent) => {
      const { minimumPercent, maximumPercent } = rollingOf("workers", min!, percent!);
      for (let desired = min!; desired <= 240; desired++) {
        const least = Math.ceil((desired * minimumPercent) / 100);
        const most = Math.floor((desired * maximumPercent) / 100);
        // One is stopped first, or one is started beside the others.
        expect(least < desired || most > desired, `${desired}`).toBe(true);
      }
    },
  );

  test("of the others can move as well", () => {
    for (const service of SERVICES) {
      const { minimumPercent, maximumPercent } = rollingOf(service, 1, 110);
      expect(minimumPercent < 100 || maximumPercent >= 200, service).toBe(true);
    }
  });

  test("of the handbook's workers keeps all twelve, and adds a tenth (HB-aws-04, X-58)", () => {
    expect(rollingOf("workers", 12, 110)).toEqual({ minimumPercent: 100, maximumPercent: 110 });
    expect(tasksAtMost("workers", { min: 12, max: 120 }, 110)).toBe(132);
    expect(tasksAtMost("api", { min: 2, max: 10 }, 110)).toBe(20);
    expect(tasksAtMost("orchestrator", { min: 1, max: 1 }, 110)).toBe(1);
  });
});
