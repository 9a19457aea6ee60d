/** `policy check`: every problem at once, as `file:line:column: message`, for GitHub beside the line, or as JSON. */
import { annotationsOf } from "../../base/annotation.js";
import { formatProblem, type Problem } from "../../base/problem.js";
import type { LoadedSet } from "../../policy/bundle.js";
import { isDay } from "../../policy/check/day.js";
import { policyDigest } from "../../policy/digest.js";
import {
  examineDirectory,
  type PolicyDirectory,
  readPolicyDirectory,
} from "../../runtime/policy-source.js";
import { oneOf, parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";

const FORMATS = ["text", "github", "json"] as const;
type Format = (typeof FORMATS)[number];

const OPTIONS = {
  json: { type: "boolean" },
  format: { type: "string" },
  now: { type: "string" },
} as const;

export async function runCheck(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, operands } = parseCommandLine(args, OPTIONS, ["[DIR]"]);
  const format = formatOf(values.format, values.json === true);
  const directory = await readPolicyDirectory(operands[0] ?? "policies", io);
  const { problems, local } = examineDirectory(directory, dayOf(values.now));
  say(format, { problems, summary: summaryOf(directory, local) }, io);
  return problems.length === 0 ? EXIT_OK : EXIT_FAILED;
}

function formatOf(format: string | undefined, json: boolean): Format {
  if (format === undefined) return json ? "json" : "text";
  if (json) throw new UsageError("--json is --format json: leave one of them out");
  return oneOf("--format", format, FORMATS);
}

/** Flags end by the day; another one may be asked for, as an old commit is checked. In UTC. */
function dayOf(typed: string | undefined): string {
  const day = typed ?? new Date().toISOString().slice(0, 10);
  if (!isDay(day)) throw new UsageError(`--now: found "${day}", expected a day such as 2026-12-31`);
  return day;
}

interface Verdict {
  readonly problems: readonly Problem[];
  readonly summary: string;
}

function say(format: Format, { problems, summary }: Verdict, io: CommandIo): void {
  if (format === "json") {
    io.out(JSON.stringify({ ok: problems.length === 0, problems }));
    return;
  }
  for (const problem of problems) io.out(formatProblem(problem));
  // Beside the lines, not instead of them: GitHub shows the first ten only.
  if (format === "github") for (const line of annotationsOf(problems, "policy")) io.out(line);
  if (problems.length === 0) io.out(summary);
  else io.err(`${problems.length} ${problems.length === 1 ? "problem" : "problems"} found`);
}

function summaryOf(directory: PolicyDirectory, local: LoadedSet | null): string {
  const files = `${directory.files.length} files of ${directory.shown("policies")}, no problems`;
  if (local === null) return files;
  const waiting = local.set.alerts.filter(({ waitsFor = [] }) => waitsFor.length > 0);
  const waits = waiting.map(({ name }) => name).join(", ");
  return [
    files,
    `digest ${policyDigest(local.set).slice(0, 12)} (local)`,
    ...(waiting.length === 0 ? [] : [`no metric yet for ${waits}`]),
  ].join("; ");
}
