/**
 * `infra unlock`: the lock that a killed Terraform has left. Freed only when it is still that lock and its holder is gone;
 * and every plan that was sealed before is refused from then on, since nobody knows how much of it was done.
 */
import { resolve } from "node:path";
import type { Terraform } from "../../adapter/terraform.js";
import type { StateLock } from "../../adapter/terraform-state.js";
import { systemClock } from "../../base/clock.js";
import { STACK_ORDER } from "../../policy/stack-order.js";
import { oneOf, parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { openTerraform } from "./open-terraform.js";
import { findStackFolders } from "./stack-folders.js";
import { describeLock, howToUnlock, type LockPlace, whyAlive } from "./state-lock.js";

const OPTIONS = {
  env: { type: "string" },
  stack: { type: "string" },
  dir: { type: "string", default: "cdktf.out/stacks" },
  lock: { type: "string" },
  gone: { type: "string" },
  "plugin-dir": { type: "string" },
} as const;

/** Exits with 1 when the state is locked and stays so. Without `--lock` it only looks. */
export async function runUnlock(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const { env, lock: wanted, gone } = values;
  if (env === undefined || values.stack === undefined)
    throw new UsageError("--env and --stack are needed");
  const stack = oneOf("--stack", values.stack, STACK_ORDER);
  if (gone !== undefined && gone.trim() === "")
    throw new UsageError("--gone is empty: how do you know that its holder is gone?");
  const [found] = await findStackFolders(resolve(io.cwd, values.dir), env, stack);
  const place = { env, stack, folder: found!.folder };
  const terraform = openTerraform(io);
  const pluginDir = values["plugin-dir"];
  await terraform.init(place.folder, pluginDir === undefined ? {} : { pluginDir });
  const lock = await terraform.lock(place.folder);
  if (lock === null) {
    io.out(`${stack}: nobody holds the lock of its state`);
    return EXIT_OK;
  }
  io.out(`${stack}: ${describeLock(lock, systemClock.now())}`);
  const refusal = refuse(lock, place, { wanted, gone });
  if (refusal === null) return release(terraform, lock, place, io);
  io.err(`${stack}: ${refusal}`);
  return EXIT_FAILED;
}

function refuse(
  lock: StateLock,
  place: LockPlace,
  { wanted, gone }: { readonly wanted: string | undefined; readonly gone: string | undefined },
): string | null {
  if (wanted === undefined) return `nothing was done: ${howToUnlock(lock, place)}`;
  if (wanted !== lock.id)
    return `refused: found lock ${lock.id}, and you named ${wanted}: somebody else holds it now`;
  const alive = whyAlive(lock, place, { now: systemClock.now(), gone });
  return alive === null ? null : `refused: ${alive}`;
}

/** First the plans, then the lock: nobody comes in between with one of before. */
async function release(
  terraform: Terraform,
  { id }: StateLock,
  { folder, stack }: LockPlace,
  io: CommandIo,
): Promise<number> {
  await terraform.spoilPlans(folder, { pastLock: true });
  await terraform.unlock(folder, id);
  io.out(`${stack}: freed; what was planned before is refused now: start the workflow \`apply\``);
  return EXIT_OK;
}
