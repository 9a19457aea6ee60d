import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Board, boardOf } from "../../src/alert/board.js";

const read = (board: Board, metric = "m") =>
  board.columnsOf(metric).map(({ labels, length, times, values }) => ({
    labels,
    points: Array.from({ length }, (_, i) => [times[i], values[i]]),
  }));

describe("a board", () => {
  test("keeps any order of arrival ascending, the last word at a moment counts", () => {
    const sample = fc.record({ at: fc.integer({ min: 0, max: 200 }), value: fc.integer() });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 300 }), (samples) => {
        const board = new Board();
        for (const { at, value } of samples) board.append("m", { a: "1" }, at, value);
        const wanted = new Map(samples.map(({ at, value }) => [at, value]));
        const points = [...wanted].sort(([a], [b]) => a - b);
        expect(read(board)).toEqual(samples.length === 0 ? [] : [{ labels: { a: "1" }, points }]);
      }),
      { seed: 6 },
    );
  });

  test("takes no value that is no number, and keeps label sets apart whatever their order", () => {
    const board = new Board();
    board.append("m", { a: "1", b: "2" }, 1, Number.NaN);
    board.append("m", { b: "2", a: "1" }, 1, Number.POSITIVE_INFINITY);
    board.append("m", { b: "2", a: "1" }, 2, 5);
    board.append("m", { a: "1,b=2" }, 2, 6);
    expect(read(board).map(({ points }) => points)).toEqual([[[2, 5]], [[2, 6]]]);
  });

  test("says when its series change, and not when they grow", () => {
    const board = new Board();
    const before = board.generation;
    board.append("m", {}, 1, 1);
    const after = board.generation;
    board.append("m", {}, 2, 1);
    expect([after > before, board.generation]).toEqual([true, after]);
  });

  test("adopts months as they are, and puts more behind them", () => {
    const board = new Board();
    const times = Float64Array.of(10, 20);
    board.adopt("m", {}, times, Float64Array.of(1, 2));
    expect(board.columnsOf("m")[0]!.times).toBe(times);
    board.adopt("m", {}, Float64Array.of(15, 30), Float64Array.of(7, 3));
    expect(read(board)[0]!.points).toEqual([
      [10, 1],
      [15, 7],
      [20, 2],
      [30, 3],
    ]);
  });

  test("forgets what is old, and never the newest", () => {
    const points = Array.from({ length: 100 }, (_, i) => ({ at: i, value: i }));
    const board = boardOf([{ metric: "m", labels: {}, points }]);
    board.trim(90);
    expect(read(board)[0]!.points.map(([at]) => at)).toEqual(points.slice(90).map(({ at }) => at));
    board.trim(1_000);
    expect(read(board)[0]!.points).toEqual([[99, 99]]);
    board.append("m", {}, 200, 1);
    expect(read(board)[0]!.points).toHaveLength(2);
  });
});
