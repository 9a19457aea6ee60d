/** The levels of one rule: thresholds in the unit of its signal, reachable, and in order. */
import type { Problem } from "../../base/problem.js";
import { type Comparison, SEVERITIES } from "../policy.js";
import { expectedThreshold, isPossible, type SignalUnit, thresholdNumber } from "../threshold.js";
import { descend, durationOf, type Node, numberOf, problemAt, textOf } from "../tree.js";
import { show } from "./shape.js";

/** @param unit of the signal; undefined when it could not be read. */
export function checkLevels(levels: readonly Node[], unit: SignalUnit | undefined): Problem[] {
  return [
    ...levels.flatMap((level) => checkLevel(level, unit)),
    ...checkOrder(levels, unit ?? "number"),
  ];
}

function checkLevel(level: Node, unit: SignalUnit | undefined): Problem[] {
  if (unit === undefined) return [];
  const value = descend(level, "value");
  const recover = descend(level, "recover", "value");
  const problems = [...checkThreshold(value, unit), ...checkThreshold(recover, unit)];
  if (problems.length > 0) return problems;
  const op = textOf(descend(level, "op"));
  return [...checkReachable(value, op, unit), ...checkRecovery(value, recover, op, unit)];
}

function checkThreshold(node: Node | undefined, unit: SignalUnit): Problem[] {
  const raw = numberOf(node) ?? (node && durationOf(node) !== undefined ? textOf(node) : undefined);
  if (!node || raw === undefined) return [];
  const number = thresholdNumber(raw, unit);
  if (number !== null && isPossible(number, unit)) return [];
  const percent = unit === "ratio" && number !== null && number > 1 && number <= 100;
  const expected = number !== null && number < 0 ? "0 or more" : expectedThreshold(unit);
  return [
    problemAt(
      node.place,
      `found ${show(node)}, expected ${expected}`,
      percent ? `write ${Number((number / 100).toPrecision(12))}` : undefined,
    ),
  ];
}

/** A ratio is never above 1 nor below 0: such a rule would sleep for ever. */
function checkReachable(
  node: Node | undefined,
  op: string | undefined,
  unit: SignalUnit,
): Problem[] {
  const value = numberOf(node);
  const never = (op === ">" && unit === "ratio" && value === 1) || (op === "<" && value === 0);
  return node && never
    ? [problemAt(node.place, `found ${op} ${show(node)}, which can never be true`)]
    : [];
}

function checkRecovery(
  value: Node | undefined,
  recover: Node | undefined,
  op: string | undefined,
  unit: SignalUnit,
): Problem[] {
  const fire = thresholdOf(value, unit);
  const leave = thresholdOf(recover, unit);
  if (!recover || fire === undefined || leave === undefined || op === undefined) return [];
  const healthy = op.startsWith(">") ? leave <= fire : leave >= fire;
  const side = op.startsWith(">") ? "at most" : "at least";
  return healthy
    ? []
    : [
        problemAt(
          recover.place,
          `found ${show(recover)}, expected ${side} ${show(value!)}, where the level fires`,
        ),
      ];
}

function thresholdOf(node: Node | undefined, unit: SignalUnit): number | undefined {
  const raw = numberOf(node) ?? textOf(node);
  return raw === undefined ? undefined : (thresholdNumber(raw, unit) ?? undefined);
}

/** Least severe first, strictest last: each level looks the same way and further than the one before. */
function checkOrder(levels: readonly Node[], unit: SignalUnit): Problem[] {
  return levels.slice(1).flatMap((level, index) => {
    const before = levels[index]!;
    return [
      ...checkSeverity(descend(before, "severity"), descend(level, "severity")),
      ...checkFurther(before, level, unit),
    ];
  });
}

function checkSeverity(before: Node | undefined, node: Node | undefined): Problem[] {
  const names: readonly string[] = SEVERITIES;
  const [milder, severer] = [
    names.indexOf(textOf(before) ?? ""),
    names.indexOf(textOf(node) ?? ""),
  ];
  if (!node || milder === -1 || severer === -1 || severer < milder) return [];
  return [
    problemAt(
      node.place,
      `found ${show(node)}, expected one more severe than ${show(before!)} of the level before`,
    ),
  ];
}

function checkFurther(before: Node, level: Node, unit: SignalUnit): Problem[] {
  const [opBefore, op] = [before, level].map(
    (node) => textOf(descend(node, "op")) as Comparison | undefined,
  );
  if (!op || !opBefore) return [];
  const node = descend(level, "op")!;
  if (op[0] !== opBefore[0])
    return [
      problemAt(node.place, `found ${show(node)}, expected ${opBefore} as in the level before`),
    ];
  const [valueBefore, value] = [before, level].map((at) => thresholdOf(descend(at, "value"), unit));
  if (value === undefined || valueBefore === undefined) return [];
  const further = op[0] === ">" ? value > valueBefore : value < valueBefore;
  return further
    ? []
    : [
        problemAt(
          descend(level, "value")!.place,
          `found ${show(descend(level, "value")!)}, expected ${op[0] === ">" ? "more" : "less"} than ${valueBefore} of the level before`,
        ),
      ];
}
