/**
 * `infra apply`: the sealed plan of one folder, looked at for the last time and then applied: in one process, so that
 * nothing comes between the look and the act.
 */
import { basename, resolve } from "node:path";
import type { Terraform } from "../../adapter/terraform.js";
import { errorMessage, Fault } from "../../base/fault.js";
import { parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { untilEnding } from "./ending.js";
import { runGuard } from "./guard.js";
import { readLeftLog, sayLeft, sayStep, whyNotPlan } from "./left-behind.js";
import { openTerraform } from "./open-terraform.js";
import { folderOf, PLAN_FILE, SEAL_OPTIONS } from "./sealed-folder.js";
import type { LockPlace } from "./state-lock.js";
import { existingAlready, terraformComplaint } from "./terraform-complaint.js";

const OPTIONS = { ...SEAL_OPTIONS, "plugin-dir": { type: "string" } } as const;

/** Exits with 1, and has touched nothing, when anything differs from what was sealed. */
export async function runApply(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const { dir, stack, env, policies } = values;
  if (dir === undefined || stack === undefined)
    throw new UsageError("--dir and --stack are needed");
  const folder = await folderOf(resolve(io.cwd, dir), env, stack);
  return untilEnding(io, async (ending) => {
    const terraform = openTerraform(io, ending);
    const pluginDir = values["plugin-dir"];
    // The lock file of the plan is there: it is what decides on the providers, and the seal says whether it was changed.
    await terraform.init(folder, pluginDir === undefined ? {} : { pluginDir });
    if (await wasCutOff(terraform, { env, stack, folder }, io)) return EXIT_FAILED;
    const named = ["--dir", folder, "--stack", stack, "--env", env, "--policies", policies];
    const guarded = await runGuard(named, io);
    if (guarded !== EXIT_OK) return guarded;
    return applySealed(terraform, { env, stack, folder }, io);
  });
}

/** A plan that was begun here is never begun again, whatever its seal says. */
async function wasCutOff(
  terraform: Terraform,
  { stack, folder }: LockPlace,
  io: CommandIo,
): Promise<boolean> {
  const wasBegun = (await readLeftLog(folder)) !== null;
  const why = await whyNotPlan(terraform, folder);
  for (const line of why) io.err(`${stack}: ${line}`);
  if (wasBegun || why.length > 0)
    io.err(`${stack}: refused: an apply of ${basename(folder)} was cut off here: plan again`);
  return wasBegun || why.length > 0;
}

async function applySealed(terraform: Terraform, place: LockPlace, io: CommandIo): Promise<number> {
  const { stack, folder } = place;
  io.progress(`applying ${stack}`);
  try {
    await terraform.apply(folder, PLAN_FILE, (step) => io.out(`${stack}: ${sayStep(step)}`));
  } catch (error) {
    const message = errorMessage(error);
    for (const line of complaintOf(error)) io.err(`${stack}: ${line}`);
    for (const address of existingAlready(message))
      io.err(`${stack}: ${sayExists(address, place)}`);
    // Ours may be the signal that ended it: what is left is looked at all the same.
    const left = await sayLeft(openTerraform(io), place);
    for (const line of left) io.err(`${stack}: ${line}`);
    const rest = left.length > 0 ? "when that is done" : "what was done stands in the state";
    io.err(`${stack}: not wholly applied; ${rest}: plan again`);
    return EXIT_FAILED;
  }
  io.out(`${stack}: applied`);
  return EXIT_OK;
}

/** Of one that was ended it is told how, besides what it could still say. */
function complaintOf(error: unknown): string[] {
  const message = errorMessage(error);
  const wasEnded = error instanceof Fault && /_(KILLED|TIMED_OUT)$/.test(error.code);
  if (!wasEnded) return terraformComplaint(message);
  const said = message.includes("\nError: ") ? terraformComplaint(message) : [];
  return [message.split("\n")[0] ?? "", ...said];
}

function sayExists(address: string, { env }: LockPlace): string {
  return [
    `${address} is there and not in the state: an apply before was cut off after it had made it, or a person made it`,
    `adopt it: algobrain infra adopt --env ${env} --estate FILE --missing names what is looked for (docs/deploying.md), then plan again`,
  ].join("; ");
}
