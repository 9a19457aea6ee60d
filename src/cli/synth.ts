/** `synth`: Terraform JSON from policies, without the CDKTF CLI. */
import { isAbsolute, relative, resolve } from "node:path";
import { errorMessage, fault } from "../base/fault.js";
import { formatProblem } from "../base/problem.js";
import type { PolicySet } from "../policy/policy.js";
import type { SourceFile } from "../policy/source.js";
import {
  loadDirectory,
  type PolicyDirectory,
  readPolicyDirectory,
} from "../runtime/policy-source.js";
import { oneOf, parseCommandLine } from "./arguments.js";
import { type Command, type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";
import { formatTable } from "./table.js";

const ALL = "all";

export const synthCommand: Command = {
  name: "synth",
  forms: [
    {
      usage: "synth [--env production|all] [--policies DIR] [--out cdktf.out] [--json]",
      does: "write Terraform JSON for an environment, or for all that have a file",
    },
  ],
  async run(args, io) {
    const { values } = parseCommandLine(args, {
      env: { type: "string", default: "production" },
      policies: { type: "string", default: "policies" },
      out: { type: "string", default: "cdktf.out" },
      json: { type: "boolean" },
    });
    const directory = await readPolicyDirectory(values.policies, io);
    const policies = loadEach(directory, chosenEnvironments(values.env, directory.files), io);
    if (policies === null) return EXIT_FAILED;
    return synthesizeTo(policies, values.out, values.json === true, io);
  },
};

/** `all`: every one that is applied somewhere, so not `local`. */
function chosenEnvironments(text: string, files: readonly SourceFile[]): string[] {
  const known = environmentsOf(files);
  const chosen = oneOf("--env", text, [...known, ALL]);
  return chosen === ALL ? known.filter((name) => name !== "local") : [chosen];
}

/** Null when one is broken, and then all problems were told: nothing is written of the others either. */
function loadEach(
  directory: PolicyDirectory,
  environments: readonly string[],
  io: CommandIo,
): PolicySet[] | null {
  const checked = environments.map((environment) => loadDirectory(directory, environment));
  // A mistake in a shared file is one of each environment, and one to whoever corrects it.
  const problems = new Set(
    checked.flatMap((each) => (each.ok ? [] : each.problems.map(formatProblem))),
  );
  for (const problem of problems) io.err(problem);
  return problems.size > 0 ? null : checked.flatMap((each) => (each.ok ? [each.value] : []));
}

/** Those that the folder has a file for; the policies alone are `local`. */
function environmentsOf(files: readonly SourceFile[]): string[] {
  const names = files.map(({ path }) => /\/environments\/([\w-]+)\.yaml$/.exec(path)?.[1]);
  return ["local", ...new Set(names.filter((name) => name !== undefined))].sort();
}

async function synthesizeTo(
  policies: readonly PolicySet[],
  out: string,
  json: boolean,
  io: CommandIo,
): Promise<number> {
  const { synthesize } = await loadStacks();
  const made: Synthesized[] = [];
  for (const policy of policies) {
    io.progress(`synthesizing ${policy.environment}`);
    made.push(await synthesize({ policy, outDir: resolve(io.cwd, out) }));
  }
  const stacks = made.flatMap((each) => each.stacks);
  const leftOut = made.flatMap((each) => each.leftOut);
  if (json) io.out(JSON.stringify({ stacks, leftOut }));
  else tell(stacks, leftOut, (file) => (isAbsolute(out) ? file : relative(io.cwd, file)), io);
  return EXIT_OK;
}

function tell(
  stacks: Synthesized["stacks"],
  leftOut: Synthesized["leftOut"],
  shown: (file: string) => string,
  io: CommandIo,
): void {
  const rows = stacks.map(({ name, resourceCount, file }) => [
    name,
    String(resourceCount),
    shown(file),
  ]);
  for (const line of formatTable(["stack", "resources", "file"], rows)) io.out(line);
  const lines = leftOut.map(({ level, reason }) => `${level} is not a CloudWatch alarm: ${reason}`);
  for (const line of new Set(lines)) io.out(line);
}

/** What synthesis answers, as far as it is told. */
interface Synthesized {
  readonly stacks: readonly { name: string; file: string; resourceCount: number }[];
  readonly leftOut: readonly { level: string; reason: string }[];
}

/** What we use of stacks/synth. The compiler must not follow the import: without CDKTF it would not compile. */
interface StacksModule {
  synthesize(options: { policy: PolicySet; outDir: string }): Promise<Synthesized>;
}

/** Loaded only here: CDKTF is a development dependency, and a runtime does without it. */
async function loadStacks(): Promise<StacksModule> {
  try {
    return await import(new URL("../../stacks/synth.js", import.meta.url).href);
  } catch (error) {
    throw fault.refused(
      "STACKS_NOT_INSTALLED",
      `synthesis is not installed here: ${errorMessage(error)}`,
      {
        hint: "run `npm ci` without --omit=dev, which also brings CDKTF",
      },
    );
  }
}
