/** `policy diff BASE`: what the policies here mean differently from those of a folder or a commit, worst first. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { formatProblem, type Problem } from "../../base/problem.js";
import { type ChangeGroup, groupByEnvironment } from "../../policy/by-environment.js";
import type { Change } from "../../policy/change.js";
import { diffPolicies } from "../../policy/diff.js";
import { worstRisk } from "../../policy/risk.js";
import type { InForce } from "../../review/drift-report.js";
import type { ImpactReport } from "../../review/impact.js";
import { impactLines } from "../../review/impact-markdown.js";
import {
  inForceLines,
  writePolicyComment,
  writeProblemComment,
} from "../../review/policy-comment.js";
import { loadDirectoryRaw, readPolicyDirectory } from "../../runtime/policy-source.js";
import { oneOf, parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { formatTable } from "../table.js";
import { type BaseDirectory, readBase } from "./base-directory.js";
import { environmentsIn } from "./environments.js";
import { readImpact } from "./impact-file.js";
import { askRunning } from "./running.js";

const FORMATS = ["text", "markdown", "json"] as const;
type Format = (typeof FORMATS)[number];

const OPTIONS = {
  env: { type: "string" },
  dir: { type: "string", default: "policies" },
  format: { type: "string", default: "text" },
  out: { type: "string" },
  running: { type: "string" },
  impact: { type: "string" },
} as const;

export async function runDiff(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, operands } = parseCommandLine(args, OPTIONS, ["BASE"]);
  const format = oneOf("--format", values.format, FORMATS);
  const [inForce, impact] = [
    await askRunning(values.running, io),
    await readImpact(values.impact, io),
  ];
  const head = await readPolicyDirectory(values.dir, io);
  const base = await readBase(operands[0], { dir: values.dir, head }, io);
  const compared = { ...compare({ base, head }, values.env), inForce, impact };
  const text = compared.problems.length > 0 ? failed(compared, format) : told(compared, format);
  if (values.out === undefined) for (const line of text.trimEnd().split("\n")) io.out(line);
  else {
    await writeFile(resolve(io.cwd, values.out), text);
    io.out(`${summaryOf(compared)}: written to ${values.out}`);
  }
  return compared.problems.length === 0 ? EXIT_OK : EXIT_FAILED;
}

interface Compared {
  /** `origin/main at 1f2e3d4c5b6a`. */
  readonly base: string;
  readonly notes: readonly string[];
  readonly problems: readonly Problem[];
  readonly groups: readonly ChangeGroup[];
  /** Null: no runtime was asked. */
  readonly inForce: InForce | null;
  /** What changed alerts would have done; null: no report was handed in. */
  readonly impact: ImpactReport | null;
}

interface Sides {
  readonly base: BaseDirectory;
  readonly head: BaseDirectory["directory"];
}

function compare(
  { base, head }: Sides,
  wanted: string | undefined,
): Omit<Compared, "inForce" | "impact"> {
  const [old, now] = [environmentsIn(base.directory.files), environmentsIn(head.files)];
  const environments = wanted === undefined ? now : [oneOf("--env", wanted, now)];
  const problems: Problem[] = [];
  const changesOf = new Map<string, Change[]>();
  for (const environment of environments.filter((name) => old.includes(name))) {
    const [before, after] = [base.directory, head].map((one) => loadDirectoryRaw(one, environment));
    for (const side of [before, after]) if (side && !side.ok) problems.push(...side.problems);
    if (before?.ok && after?.ok)
      changesOf.set(environment, diffPolicies(before.value.set, after.value.set));
  }
  return {
    base: base.shown,
    notes: wanted === undefined ? notesOf(old, now) : [],
    problems: once(problems),
    groups: groupByEnvironment(changesOf),
  };
}

function notesOf(old: readonly string[], now: readonly string[]): string[] {
  return [
    ...now.filter((name) => !old.includes(name)).map((name) => `The environment ${name} is new.`),
    ...old.filter((name) => !now.includes(name)).map((name) => `The environment ${name} is gone.`),
  ];
}

/** Common files have the same problem in every environment. */
function once(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()];
}

function failed({ base, problems, inForce }: Compared, format: Format): string {
  if (format === "markdown") return writeProblemComment(problems, inForce);
  if (format === "json") return `${JSON.stringify({ ok: false, base, problems, inForce })}\n`;
  const lines = [...problems.map(formatProblem), ...inForceLines(inForce)];
  return lines.map((line) => `${line}\n`).join("");
}

function told(compared: Compared, format: Format): string {
  const { base, notes, groups, inForce, impact } = compared;
  if (format === "markdown") return writePolicyComment(groups, compared);
  const changes = groups.flatMap((group) => group.changes);
  if (format === "json")
    return `${JSON.stringify({ ok: true, base, worst: worstRisk(changes), notes, groups, inForce, impact })}\n`;
  const lines = [...notes, ...groups.flatMap((group) => groupLines(group, groups.length > 1))];
  const told = lines.length === 0 ? [summaryOf(compared)] : lines;
  const said = impact === null ? [] : impactLines(impact);
  return `${[...told, ...inForceLines(inForce), ...said].join("\n")}\n`;
}

/** The title is only needed where there is another. */
function groupLines({ title, changes }: ChangeGroup, isOneOfMany: boolean): string[] {
  const rows = changes.map(({ risk, subject, words }) => [risk, subject, words]);
  const [, , ...lines] = formatTable(["", "", ""], rows);
  return isOneOfMany ? [`${title}:`, ...lines.map((line) => `  ${line}`)] : lines;
}

function summaryOf({ base, problems, groups }: Compared): string {
  if (problems.length > 0) return `${problems.length} problems`;
  const count = groups.reduce((sum, { changes }) => sum + changes.length, 0);
  if (count === 0) return `nothing changes what the policies mean (compared with ${base})`;
  return `${count} ${count === 1 ? "change" : "changes"} since ${base}`;
}
