/** `policy show [PATH]`: what is in force in an environment, and the line or default that says so. */
import { formatProblem } from "../../base/problem.js";
import { didYouMean } from "../../base/similar.js";
import type { LoadedSet } from "../../policy/bundle.js";
import { type Effective, effectiveValues } from "../../policy/origin.js";
import { type PolicyPath, parsePolicyPath } from "../../policy/path.js";
import { SECTIONS } from "../../policy/schema.js";
import { value as inWords } from "../../policy/words.js";
import {
  loadDirectoryRaw,
  type PolicyDirectory,
  readPolicyDirectory,
} from "../../runtime/policy-source.js";
import { oneOf, parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { formatTable } from "../table.js";
import { environmentsIn } from "./environments.js";

const OPTIONS = {
  env: { type: "string", default: "production" },
  dir: { type: "string", default: "policies" },
  json: { type: "boolean" },
} as const;

export async function runShow(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, operands } = parseCommandLine(args, OPTIONS, ["[PATH]"]);
  const directory = await readPolicyDirectory(values.dir, io);
  const environment = oneOf("--env", values.env, environmentsIn(directory.files));
  const checked = loadDirectoryRaw(directory, environment);
  if (!checked.ok) {
    for (const problem of checked.problems) io.err(formatProblem(problem));
    return EXIT_FAILED;
  }
  const found = findValues(checked.value, operands[0]);
  if (values.json) io.out(JSON.stringify(found.map((one) => withShownFile(one, directory))));
  else say(found, directory, io);
  return EXIT_OK;
}

/** Throws a UsageError for a path that leads nowhere. */
function findValues(loaded: LoadedSet, typed: string | undefined): Effective[] {
  if (typed === undefined) return effectiveValues(loaded, null);
  const path = parsePolicyPath(typed);
  const found = path === null ? [] : effectiveValues(loaded, path);
  if (found.length > 0) return found;
  const hint = didYouMean(typed, path === null ? SECTIONS : nearbyPaths(loaded, path));
  throw new UsageError(
    `there is no "${typed}" in the policies (${hint ?? `sections are ${SECTIONS.join(", ")}`})`,
  );
}

/** Comparing letters is slow, and thousands of rules have tens of thousands of values. */
const COMPARED_MAX = 3000;

function nearbyPaths(loaded: LoadedSet, path: PolicyPath): string[] {
  return effectiveValues(loaded, [path[0]])
    .slice(0, COMPARED_MAX)
    .map((one) => one.path);
}

function withShownFile(found: Effective, directory: PolicyDirectory): Effective {
  return { ...found, file: found.file === null ? null : directory.shown(found.file) };
}

function say(found: readonly Effective[], directory: PolicyDirectory, io: CommandIo): void {
  const rows = found.map(({ path, value, file, line }) => [
    path,
    inWords(value),
    file === null ? "default" : `${directory.shown(file)}:${line}`,
  ]);
  for (const line of formatTable(["value of", "is", "said in"], rows)) io.out(line);
}
