/**
 * `infra heal`: drift put back by the sealed plans that `infra heal-plan` has left. As `infra apply`, with one question
 * more in the last look (who stands for it now?), and a second look at what was put back.
 */
import { copyFile, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Terraform } from "../../adapter/terraform.js";
import { systemClock } from "../../base/clock.js";
import { errorMessage } from "../../base/fault.js";
import { STACK_ORDER, type StackPart } from "../../policy/stack-order.js";
import { judgeHeal } from "../../review/infra/judge-heal.js";
import { isQuiet } from "../../review/infra/plan-document.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { untilEnding } from "./ending.js";
import { guardStack, type Judging } from "./guard.js";
import { HEAL_FILES, healsNotThere } from "./heal-plan.js";
import { askKnown } from "./known.js";
import { sayLeft } from "./left-behind.js";
import { openTerraform } from "./open-terraform.js";
import { POLICY_OPTIONS } from "./policy-of.js";
import { RUNTIME_OPTIONS, type RuntimePlace } from "./runtime-at.js";
import { PLAN_FILE } from "./sealed-folder.js";
import { findStackFolders } from "./stack-folders.js";
import { terraformComplaint } from "./terraform-complaint.js";

const OPTIONS = {
  ...POLICY_OPTIONS,
  ...RUNTIME_OPTIONS,
  heals: { type: "string", default: "heals" },
  dir: { type: "string", default: "cdktf.out/stacks" },
  "plugin-dir": { type: "string" },
} as const;

const LOOK_FILE = "look-again.bin";

interface Healer {
  readonly terraform: Terraform;
  readonly place: RuntimePlace & { readonly policies: string };
  readonly heals: string;
  readonly dir: string;
  readonly pluginDir: string | undefined;
  readonly io: CommandIo;
}

/** Exits with 1 when a stack was refused, was not wholly put back, or still differs: the others are done all the same. */
export async function runHeal(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  return untilEnding(io, async (ending) => {
    const healer: Healer = {
      ...{ terraform: openTerraform(io, ending), place: values, io },
      ...{ heals: resolve(io.cwd, values.heals), dir: resolve(io.cwd, values.dir) },
      pluginDir: values["plugin-dir"],
    };
    const results: boolean[] = [];
    for (const stack of await stacksIn(healer.heals)) results.push(await healStack(healer, stack));
    return results.every((isDone) => isDone) ? EXIT_OK : EXIT_FAILED;
  });
}

/** In the order in which they are applied. */
async function stacksIn(heals: string): Promise<StackPart[]> {
  const names = await readdir(heals).catch(healsNotThere(heals, "infra heal-plan"));
  return STACK_ORDER.filter((part) => names.includes(part));
}

async function healStack(healer: Healer, stack: StackPart): Promise<boolean> {
  const { terraform, place, heals, dir, pluginDir, io } = healer;
  const [found] = await findStackFolders(dir, place.env, stack);
  const folder = found?.folder ?? dir;
  for (const file of HEAL_FILES)
    await copyFile(join(heals, stack, file), join(folder, file)).catch(
      healsNotThere(heals, "infra heal-plan"),
    );
  await terraform.init(folder, pluginDir === undefined ? {} : { pluginDir });
  const addresses = await guardHeal(healer, folder, stack);
  if (addresses === null) return false;
  try {
    io.progress(`putting back ${addresses.length} in ${stack}`);
    await terraform.apply(folder, PLAN_FILE);
    return await lookAgain(healer, folder, { stack, addresses });
  } catch (error) {
    for (const line of terraformComplaint(errorMessage(error))) io.err(`${stack}: ${line}`);
    const left = await sayLeft(openTerraform(io), { env: place.env, stack, folder });
    for (const line of left) io.err(`${stack}: ${line}`);
    io.err(`${stack}: not wholly put back; the next look says what differs`);
    return false;
  }
}

/** The addresses that may be put back now; null: none, and why was said. */
async function guardHeal(
  { place, io }: Healer,
  folder: string,
  stack: string,
): Promise<readonly string[] | null> {
  const { known, unasked, wasAsked } = await askKnown(place, io);
  const silent = wasAsked ? unasked : ["no runtime was named (--url)"];
  for (const sentence of silent) io.err(`${stack}: known drift is not known: ${sentence}`);
  if (silent.length > 0) return null;
  const judging: Judging = {
    purpose: "heal",
    judge: (plan, { environment, infrastructure }) =>
      judgeHeal(plan, {
        ...{ environment, review: infrastructure.review, known, now: systemClock.now() },
      }),
  };
  const { env, policies } = place;
  const guarded = await guardStack({ env, policies, dir: folder, stack }, io, judging);
  for (const refusal of guarded?.refusals ?? []) io.err(`${stack}: ${refusal}`);
  if (guarded === null || guarded.refusals.length > 0) {
    io.err(`${stack}: refused: nothing was put back`);
    return null;
  }
  return guarded.plan.changes.filter((change) => !isQuiet(change)).map(({ address }) => address);
}

async function lookAgain(
  { terraform, io }: Healer,
  folder: string,
  { stack, addresses }: { readonly stack: string; readonly addresses: readonly string[] },
): Promise<boolean> {
  const again = await terraform.plan(folder, { out: LOOK_FILE, targets: addresses });
  for (const address of addresses) io.out(`${stack}: put back: ${address}`);
  if (again === "nothing") return true;
  io.err(`${stack}: something of it differs again: somebody, or something, changes it back`);
  return false;
}
