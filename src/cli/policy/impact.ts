/** `policy impact BASE`: what the changed alert rules would have done, old and new, over what was measured. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { systemClock } from "../../base/clock.js";
import { DAY_MS } from "../../base/duration.js";
import { errorMessage, Fault } from "../../base/fault.js";
import { formatProblem, type Problem } from "../../base/problem.js";
import type { PolicySet } from "../../policy/policy.js";
import { backtest, changedRules, neededHistory, type RuleImpact } from "../../review/backtest.js";
import { type ImpactReport, judgeImpact } from "../../review/impact.js";
import { impactLines, impactSection } from "../../review/impact-markdown.js";
import { loadDirectoryRaw, readPolicyDirectory } from "../../runtime/policy-source.js";
import { oneOf, parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { readBase } from "./base-directory.js";
import { environmentsIn } from "./environments.js";
import { type History, openHistory } from "./history.js";

const FORMATS = ["text", "markdown", "json"] as const;
type Format = (typeof FORMATS)[number];

const DAYS_MAX = 90;

const OPTIONS = {
  env: { type: "string", default: "production" },
  dir: { type: "string", default: "policies" },
  history: { type: "string", default: "db" },
  "token-file": { type: "string" },
  days: { type: "string", default: "30" },
  format: { type: "string", default: "text" },
  out: { type: "string" },
} as const;

/** Exits with 1 when the policies have problems, and when it comes to far more pages than before. */
export async function runImpact(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, operands } = parseCommandLine(args, OPTIONS, ["BASE"]);
  const format = oneOf("--format", values.format, FORMATS);
  const days = readDays(values.days);
  const history = await openHistory(values.history, values["token-file"], io);
  const sides = await readSides(operands[0], values, io);
  if (sides.problems.length > 0) {
    for (const problem of sides.problems) io.err(formatProblem(problem));
    return EXIT_FAILED;
  }
  const report = await replay(sides, history, days);
  const text = written(report, format);
  if (values.out === undefined) for (const line of text.trimEnd().split("\n")) io.out(line);
  else {
    await writeFile(resolve(io.cwd, values.out), text);
    io.out(`${report.verdict}: written to ${values.out}`);
  }
  return report.verdict === "block" ? EXIT_FAILED : EXIT_OK;
}

function readDays(typed: string): number {
  const days = /^\d{1,2}$/.test(typed) ? Number(typed) : Number.NaN;
  if (days >= 1 && days <= DAYS_MAX) return days;
  throw new UsageError(`--days: found "${typed}", expected a whole number from 1 to ${DAYS_MAX}`);
}

interface Sides {
  readonly environment: string;
  readonly problems: readonly Problem[];
  /** Null: it has problems, or the environment is new. */
  readonly before: PolicySet | null;
  readonly after: PolicySet | null;
}

async function readSides(
  typed: string,
  { dir, env }: { readonly dir: string; readonly env: string },
  io: CommandIo,
): Promise<Sides> {
  const head = await readPolicyDirectory(dir, io);
  const base = await readBase(typed, { dir, head }, io);
  const environment = oneOf("--env", env, environmentsIn(head.files));
  const isKnown = environmentsIn(base.directory.files).includes(environment);
  const after = loadDirectoryRaw(head, environment);
  // A new environment is compared with what all of them have in common.
  const before = loadDirectoryRaw(base.directory, isKnown ? environment : "local");
  const problems = [before, after].flatMap((side) => (side.ok ? [] : side.problems));
  return {
    ...{ environment, problems },
    before: before.ok ? before.value.set : null,
    after: after.ok ? after.value.set : null,
  };
}

async function replay(sides: Sides, history: History, days: number): Promise<ImpactReport> {
  const { environment } = sides;
  const [before, after] = [sides.before!, sides.after!];
  const to = systemClock.now();
  const from = new Date(to.getTime() - days * DAY_MS);
  const found = await tell({ before, after, history, from, to });
  return judgeImpact({
    ...{ environment, history: history.name, from: from.toISOString(), to: to.toISOString() },
    ...found,
  });
}

interface Asked {
  readonly before: PolicySet;
  readonly after: PolicySet;
  readonly history: History;
  readonly from: Date;
  readonly to: Date;
}

interface Told {
  readonly unknown: string | null;
  readonly rules: readonly RuleImpact[];
}

/** Samples that cannot be read are no reason to fail a review: it is said that nobody can tell. */
async function tell({ before, after, history, from, to }: Asked): Promise<Told> {
  if (changedRules(before, after).length === 0) return { unknown: null, rules: [] };
  const { metrics, warmUpMs } = neededHistory(before, after);
  const known = metrics.flatMap((name) => after.metrics[name] ?? before.metrics[name] ?? []);
  try {
    const warm = new Date(from.getTime() - warmUpMs);
    const board = await history.load({ metrics: known, from: warm, to });
    const rules = backtest({ before, after, board, from: from.getTime(), to: to.getTime() });
    return { unknown: null, rules };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { unknown: errorMessage(error), rules: [] };
  }
}

function written(report: ImpactReport, format: Format): string {
  if (format === "json") return `${JSON.stringify(report)}\n`;
  if (format === "text") return `${impactLines(report).join("\n")}\n`;
  const section = impactSection(report);
  return `${(section?.lines ?? ["No alert rule has changed."]).join("\n").trimEnd()}\n`;
}
