/** `synth`: Terraform JSON from policies, without the CDKTF CLI. */
import { isAbsolute, relative, resolve } from "node:path";
import { errorMessage, fault } from "../base/fault.js";
import { formatProblem } from "../base/problem.js";
import type { PolicySet } from "../policy/policy.js";
import type { SourceFile } from "../policy/source.js";
import { loadDirectory, readPolicyDirectory } from "../runtime/policy-source.js";
import { oneOf, parseCommandLine } from "./arguments.js";
import { type Command, type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";
import { formatTable } from "./table.js";

export const synthCommand: Command = {
  name: "synth",
  forms: [
    {
      usage: "synth [--env production] [--policies DIR] [--out cdktf.out] [--json]",
      does: "write Terraform JSON for an environment",
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
    const checked = loadDirectory(
      directory,
      oneOf("--env", values.env, environmentsOf(directory.files)),
    );
    if (!checked.ok) {
      for (const problem of checked.problems) io.err(formatProblem(problem));
      return EXIT_FAILED;
    }
    return synthesizeTo(checked.value, values.out, values.json === true, io);
  },
};

/** Those that the folder has a file for; the policies alone are `local`. */
function environmentsOf(files: readonly SourceFile[]): string[] {
  const names = files.map(({ path }) => /\/environments\/([\w-]+)\.yaml$/.exec(path)?.[1]);
  return ["local", ...new Set(names.filter((name) => name !== undefined))].sort();
}

async function synthesizeTo(
  policy: PolicySet,
  out: string,
  json: boolean,
  io: CommandIo,
): Promise<number> {
  io.progress(`synthesizing ${policy.environment}`);
  const { synthesize } = await loadStacks();
  const { stacks, leftOut } = await synthesize({ policy, outDir: resolve(io.cwd, out) });
  if (json) {
    io.out(JSON.stringify({ stacks, leftOut }));
    return EXIT_OK;
  }
  const shown = (file: string) => (isAbsolute(out) ? file : relative(io.cwd, file));
  const rows = stacks.map(({ name, resourceCount, file }) => [
    name,
    String(resourceCount),
    shown(file),
  ]);
  for (const line of formatTable(["stack", "resources", "file"], rows)) io.out(line);
  for (const { level, reason } of leftOut) io.out(`${level} is not a CloudWatch alarm: ${reason}`);
  return EXIT_OK;
}

/** What we use of stacks/synth. The compiler must not follow the import: without CDKTF it would not compile. */
interface StacksModule {
  synthesize(options: { policy: PolicySet; outDir: string }): Promise<{
    stacks: readonly { name: string; file: string; resourceCount: number }[];
    leftOut: readonly { level: string; reason: string }[];
  }>;
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
