/** `codeowners`: writes .github/CODEOWNERS from access.yaml, or says that it is not what it should be. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fault } from "../base/fault.js";
import { formatProblem } from "../base/problem.js";
import type { PolicySet } from "../policy/policy.js";
import { CODEOWNERS_PATH, renderCodeowners } from "../review/codeowners.js";
import { loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import { parseCommandLine } from "./arguments.js";
import { type Command, type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";

/** Access is the same in every environment. */
const ANY_ENVIRONMENT = "local";

export const codeownersCommand: Command = {
  name: "codeowners",
  forms: [
    {
      usage: "codeowners [--check]",
      does: "write .github/CODEOWNERS from access.yaml, or only compare it",
    },
  ],
  run: async (args, io) => {
    const { values } = parseCommandLine(args, { check: { type: "boolean" } });
    const { access } = await loadPolicies(io);
    const text = renderCodeowners(access.people);
    if (text === null)
      throw fault.refused(
        "CODEOWNERS_WITHOUT_OWNER",
        "policies/access.yaml names no admin with a GitHub account, so nobody would own the guards",
        { hint: "give a person of role admin a `github`" },
      );
    return values.check ? compare(text, io) : write(text, io);
  },
};

async function loadPolicies(io: CommandIo): Promise<PolicySet> {
  const checked = loadDirectory(await readPolicyDirectory("policies", io), ANY_ENVIRONMENT);
  if (checked.ok) return checked.value;
  const lines = checked.problems.map(formatProblem).join("\n");
  throw fault.refused("POLICY_INVALID", `the policies are invalid:\n${lines}`, {
    hint: "correct these lines; nothing was written",
  });
}

async function write(text: string, io: CommandIo): Promise<number> {
  const path = join(io.cwd, CODEOWNERS_PATH);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  io.out(`written: ${CODEOWNERS_PATH}`);
  return EXIT_OK;
}

async function compare(text: string, io: CommandIo): Promise<number> {
  const found = await readIfThere(join(io.cwd, CODEOWNERS_PATH));
  if (found === text) {
    io.out(`${CODEOWNERS_PATH} is what access.yaml says`);
    return EXIT_OK;
  }
  const what = found === null ? "is missing" : "is not what access.yaml says";
  io.err(`${CODEOWNERS_PATH} ${what}: run algobrain codeowners`);
  return EXIT_FAILED;
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
