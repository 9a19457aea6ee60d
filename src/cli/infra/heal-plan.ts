/**
 * `infra heal-plan`: what a look at drift has chosen to put back, planned alone, judged and sealed. It needs no right but
 * to look: the files that it leaves are what a job with other rights applies.
 */
import { appendFile, copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Terraform } from "../../adapter/terraform.js";
import { systemClock } from "../../base/clock.js";
import { errorMessage, fault } from "../../base/fault.js";
import { STACK_ORDER } from "../../policy/stack-order.js";
import { type HealWish, readHeals } from "../../review/infra/heal.js";
import { judgeHeal } from "../../review/infra/judge-heal.js";
import { oneOf, parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { openTerraform } from "./open-terraform.js";
import { POLICY_OPTIONS } from "./policy-of.js";
import { writeSeal } from "./seal.js";
import { LOCK_FILE, lookAtFolder, PLAN_FILE, SEAL_FILE } from "./sealed-folder.js";
import { findStackFolders } from "./stack-folders.js";
import { terraformComplaint } from "./terraform-complaint.js";

const OPTIONS = {
  ...POLICY_OPTIONS,
  heals: { type: "string" },
  dir: { type: "string", default: "cdktf.out/stacks" },
  out: { type: "string", default: "heals" },
  "plugin-dir": { type: "string" },
  "github-output": { type: "string" },
} as const;

/** What of a stack is carried to whoever applies it. */
export const HEAL_FILES = [PLAN_FILE, SEAL_FILE, LOCK_FILE];

type Healing = "sealed" | "nothing" | "refused";

/** Exits with 1 when something that was chosen could not be sealed; what was sealed stands all the same. */
export async function runHealPlan(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const { env, policies, dir, heals, out } = values;
  if (heals === undefined) throw new UsageError("--heals is missing: the file of infra drift");
  const wishes = await readWishes(resolve(io.cwd, heals));
  // What an earlier look has sealed must not pass for this one's.
  await rm(resolve(io.cwd, out), { recursive: true, force: true });
  const planner: Planner = {
    ...{ terraform: openTerraform(io), env, policies, io, pluginDir: values["plugin-dir"] },
    ...{ dir: resolve(io.cwd, dir), out: resolve(io.cwd, out) },
  };
  const done: Healing[] = [];
  for (const wish of wishes) done.push(await planStack(planner, wish));
  const sealed = done.filter((one) => one === "sealed").length;
  io.out(`${sealed} of ${wishes.length} stacks have something to put back`);
  const output = values["github-output"];
  // By the environment's name: jobs of a matrix write their outputs over each other's.
  if (output !== undefined) await appendFile(resolve(io.cwd, output), `${env}=${sealed > 0}\n`);
  return done.includes("refused") ? EXIT_FAILED : EXIT_OK;
}

async function readWishes(path: string): Promise<readonly HealWish[]> {
  const text = await readFile(path, "utf8").catch(healsNotThere(path, "infra drift --heals-file"));
  const wishes = readHeals(parse(text));
  if (wishes !== null) return wishes;
  throw fault.data("HEALS_INVALID", `${path}: this is no choice of what is put back`, {
    hint: "write it with: algobrain infra drift --heals-file FILE",
  });
}

/** @param by the command that writes it */
export function healsNotThere(path: string, by: string) {
  return (error: NodeJS.ErrnoException): never => {
    throw fault.refused("HEALS_NOT_FOUND", `${path}: it cannot be read (${error.code})`, {
      ...{ hint: `write it with: algobrain ${by}`, cause: error },
    });
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Cut short or not ours: in both cases it is no choice.
    return null;
  }
}

interface Planner {
  readonly terraform: Terraform;
  readonly env: string;
  readonly policies: string;
  readonly dir: string;
  readonly out: string;
  readonly pluginDir: string | undefined;
  readonly io: CommandIo;
}

async function planStack(planner: Planner, { stack, addresses }: HealWish): Promise<Healing> {
  const { terraform, env, dir, io, pluginDir } = planner;
  const part = oneOf("--heals", stack, STACK_ORDER);
  const [place] = await findStackFolders(dir, env, part);
  const folder = place?.folder ?? dir;
  io.progress(`planning what is put back in ${stack}`);
  try {
    await terraform.init(folder, pluginDir === undefined ? {} : { pluginDir });
    const planned = await terraform.plan(folder, { out: PLAN_FILE, targets: addresses });
    if (planned === "changes") return await sealStack(planner, folder, stack);
    io.out(`${stack}: nothing differs any more`);
    return "nothing";
  } catch (error) {
    for (const line of terraformComplaint(errorMessage(error))) io.err(`${stack}: ${line}`);
    return "refused";
  }
}

async function sealStack(planner: Planner, folder: string, stack: string): Promise<Healing> {
  const { env, policies, out, io } = planner;
  const looked = await lookAtFolder({ env, policies, dir: folder, stack }, io);
  if (looked === null) return "refused";
  const now = systemClock.now();
  const { review } = looked.policy.infrastructure;
  // Who stands for what was asked when it was chosen, and is asked again before it is applied.
  const verdict = judgeHeal(looked.plan, { environment: env, review, known: [], now });
  for (const { rule, text } of verdict.findings) io.err(`${stack}: ${rule}: ${text}`);
  if (verdict.state !== "ok") return "refused";
  const judged = { verdict: verdict.state, purpose: "heal", madeAt: now.toISOString() } as const;
  await writeSeal(looked, judged, io);
  await mkdir(join(out, stack), { recursive: true });
  for (const file of HEAL_FILES) await copyFile(join(folder, file), join(out, stack, file));
  return "sealed";
}
