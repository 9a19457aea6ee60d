/**
 * `infra apply`: the sealed plan of one folder, looked at for the last time and then applied: in one process, so that
 * nothing comes between the look and the act.
 */
import { resolve } from "node:path";
import { errorMessage } from "../../base/fault.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { runGuard } from "./guard.js";
import { openTerraform } from "./open-terraform.js";
import { SEAL_OPTIONS } from "./sealed-folder.js";
import { terraformComplaint } from "./terraform-complaint.js";

const OPTIONS = { ...SEAL_OPTIONS, "plugin-dir": { type: "string" } } as const;

/** Exits with 1, and has touched nothing, when anything differs from what was sealed. */
export async function runApply(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const { dir, stack, env, policies } = values;
  if (dir === undefined || stack === undefined)
    throw new UsageError("--dir and --stack are needed");
  const folder = resolve(io.cwd, dir);
  const terraform = openTerraform(io);
  const pluginDir = values["plugin-dir"];
  // The lock file of the plan is there: it is what decides on the providers, and the seal says whether it was changed.
  await terraform.init(folder, pluginDir === undefined ? {} : { pluginDir });
  const named = ["--dir", folder, "--stack", stack, "--env", env, "--policies", policies];
  const guarded = await runGuard(named, io);
  if (guarded !== EXIT_OK) return guarded;
  io.progress(`applying ${stack}`);
  try {
    await terraform.apply(folder, "plan.bin");
  } catch (error) {
    for (const line of terraformComplaint(errorMessage(error))) io.err(`${stack}: ${line}`);
    io.err(`${stack}: not wholly applied; what was done stands in the state: plan again`);
    return EXIT_FAILED;
  }
  io.out(`${stack}: applied`);
  return EXIT_OK;
}
