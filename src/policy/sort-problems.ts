/** Problems of all environments as one list for people. */
import { compareProblems, formatProblem, type Problem } from "../base/problem.js";

/** More than these of one file would hide the others. */
const PROBLEMS_MAX = 100;

/** By file, line and column; the same thing is said once, though every environment finds it. */
export function sortOnce(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  const byFile = new Map<string, Problem[]>();
  for (const problem of [...unique.values()].sort(compareProblems)) {
    const all = byFile.get(problem.file) ?? [];
    byFile.set(problem.file, all);
    all.push(problem);
  }
  return [...byFile.values()].flatMap(bounded);
}

function bounded(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= PROBLEMS_MAX) return problems;
  const { file } = problems[0]!;
  const message = `has more problems than the ${PROBLEMS_MAX} shown`;
  return [...problems.slice(0, PROBLEMS_MAX), { file, line: 0, column: 0, message }];
}
