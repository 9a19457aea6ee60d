/** `policy check`: every problem at once, as `file:line:column: message`. */
import { formatProblem } from "../base/problem.js";
import { policyDigest } from "../policy/digest.js";
import { checkDirectory, loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import {
  type Command,
  type CommandIo,
  EXIT_FAILED,
  EXIT_OK,
  parseCommandLine,
  UsageError,
} from "./command.js";

export const policyCommand: Command = {
  name: "policy",
  usage: ["policy check [DIR] [--json]"],
  summary: "check the policies: every problem with its file, line and column",
  async run(args, io) {
    const { positionals, values } = parseCommandLine(args, { json: { type: "boolean" } });
    const [verb, directory = "policies", ...rest] = positionals;
    if (verb !== "check" || rest.length > 0)
      throw new UsageError(`unknown command "policy ${verb ?? ""}"`.trim());
    return check(directory, values.json === true, io);
  },
};

async function check(directory: string, json: boolean, io: CommandIo): Promise<number> {
  const read = await readPolicyDirectory(directory, io);
  const problems = checkDirectory(read);
  if (json) io.out(JSON.stringify({ ok: problems.length === 0, problems }));
  else for (const problem of problems) io.out(formatProblem(problem));
  if (problems.length > 0) {
    if (!json) io.err(`${problems.length} ${problems.length === 1 ? "problem" : "problems"} found`);
    return EXIT_FAILED;
  }
  const local = loadDirectory(read, "local");
  if (!json && local.ok) {
    io.out(
      `${read.files.length} files, no problems; digest ${policyDigest(local.value).slice(0, 12)} (local)`,
    );
  }
  return EXIT_OK;
}
