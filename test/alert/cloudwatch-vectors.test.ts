/**
 * The tables of the AWS user guide, "Configuring how CloudWatch alarms treat missing data", as published (section
 * "How alarm state is evaluated when data is missing"; read in two copies of the page, of which the older is
 * doc_source/AlarmThatSendsEmail.md of awsdocs/amazon-cloudwatch-user-guide). Points are newest last.
 */
import { describe, expect, test } from "vitest";
import {
  judgePoints,
  type MissingPoint,
  type PointClass,
  type WindowVerdict,
} from "../../src/alert/m-of-n.js";

const TREATMENTS: readonly MissingPoint[] = ["missing", "ignore", "breaching", "notBreaching"];

type Row = readonly [points: string, filled: number, ...expected: WindowVerdict[]];

/** Datapoints to Alarm 3, Evaluation Periods 3. */
const THREE_OF_THREE: readonly Row[] = [
  ["0-X-X", 0, "ok", "ok", "ok", "ok"],
  ["0----", 2, "ok", "ok", "ok", "ok"],
  ["-----", 3, "insufficient", "keep", "alarm", "ok"],
  ["0XX-X", 0, "alarm", "alarm", "alarm", "alarm"],
  ["--X--", 2, "alarm", "keep", "alarm", "ok"],
];

/** Datapoints to Alarm 2, Evaluation Periods 3. */
const TWO_OF_THREE: readonly Row[] = [
  ["0-X-X", 0, "alarm", "alarm", "alarm", "alarm"],
  ["00X0X", 0, "alarm", "alarm", "alarm", "alarm"],
  ["0-X--", 1, "ok", "ok", "alarm", "ok"],
  ["----0", 2, "ok", "ok", "alarm", "ok"],
  ["---X-", 2, "alarm", "keep", "alarm", "ok"],
];

/** Rows of older revisions of the same page (05fd32f6, cd4004cd), which today's text says in words. */
const THREE_OF_THREE_OLDER: readonly Row[] = [
  ["----X", 2, "insufficient", "keep", "alarm", "ok"],
  ["X----", 2, "alarm", "keep", "alarm", "ok"],
];
const TWO_OF_THREE_OLDER: readonly Row[] = [["----X", 2, "insufficient", "keep", "alarm", "ok"]];

function vectorsOf(m: number, n: number, rows: readonly Row[]) {
  return rows.flatMap(([points, filled, ...expected]) =>
    TREATMENTS.map((missing, i) => ({
      ...{ m, n, missing, points, filled },
      expected: expected[i]!,
    })),
  );
}

const PUBLISHED = [...vectorsOf(3, 3, THREE_OF_THREE), ...vectorsOf(2, 3, TWO_OF_THREE)];
const OLDER = [...vectorsOf(3, 3, THREE_OF_THREE_OLDER), ...vectorsOf(2, 3, TWO_OF_THREE_OLDER)];

describe("CloudWatch's published tables", () => {
  test("are 40 vectors", () => {
    expect(PUBLISHED).toHaveLength(40);
  });

  test.each(PUBLISHED)("$m of $n over $points, $missing: $expected", (vector) => {
    expect(judgePoints(vector.points.split("") as PointClass[], vector)).toBe(vector.expected);
  });

  test.each(PUBLISHED)("$points needs $filled of $n filled in", ({ points, n, filled }) => {
    expect(Math.max(n - points.replaceAll("-", "").length, 0)).toBe(filled);
  });

  test.each(OLDER)("older: $m of $n over $points, $missing: $expected", (vector) => {
    expect(judgePoints(vector.points.split("") as PointClass[], vector)).toBe(vector.expected);
  });
});

describe("the words around them", () => {
  const missing = (points: string) =>
    judgePoints(points.split("") as PointClass[], { m: 3, n: 3, missing: "missing" });

  test("a single bad point waits until it is as old as M asks for", () => {
    expect(["----X", "---X-", "--X--", "-X---"].map(missing)).toEqual([
      "insufficient",
      "insufficient",
      "alarm",
      "alarm",
    ]);
  });

  test("a good one after it says that it was over", () => {
    expect(["---X0", "--X-0"].map(missing)).toEqual(["ok", "ok"]);
  });

  test("what is older than the range is not looked at", () => {
    expect(missing("XXX00-0--")).toBe("ok");
    expect(missing("0-----")).toBe("insufficient");
  });

  test("fewer points than the range are as if those before were missing", () => {
    expect(missing("X")).toBe(missing("----X"));
    expect(missing("")).toBe(missing("-----"));
  });
});
