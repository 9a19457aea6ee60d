/** `policy check`: every problem at once, as `file:line:column: message`. */
import { formatProblem } from "../base/problem.js";
import { policyDigest } from "../policy/digest.js";
import { checkDirectory, loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import { parseCommandLine } from "./arguments.js";
import { type CommandIo, commandOfVerbs, EXIT_FAILED, EXIT_OK, type Verb } from "./command.js";

const checkVerb: Verb = {
  usage: "policy check [DIR] [--json]",
  does: "every problem of the policies at its file, line and column",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(args, { json: { type: "boolean" } }, ["[DIR]"]);
    return check(operands[0] ?? "policies", values.json === true, io);
  },
};

async function check(directory: string, json: boolean, io: CommandIo): Promise<number> {
  const read = await readPolicyDirectory(directory, io);
  const problems = checkDirectory(read);
  const ok = problems.length === 0;
  if (json) {
    io.out(JSON.stringify({ ok, problems }));
    return ok ? EXIT_OK : EXIT_FAILED;
  }
  for (const problem of problems) io.out(formatProblem(problem));
  if (!ok) {
    io.err(`${problems.length} ${problems.length === 1 ? "problem" : "problems"} found`);
    return EXIT_FAILED;
  }
  const local = loadDirectory(read, "local");
  const digest = local.ok ? `; digest ${policyDigest(local.value).slice(0, 12)} (local)` : "";
  io.out(`${read.files.length} files of ${read.shown("policies")}, no problems${digest}`);
  return EXIT_OK;
}

export const policyCommand = commandOfVerbs("policy", { check: checkVerb });
