/**
 * `infra plan`: every stack of an environment down the order, by the real Terraform. One that fails does not hide the
 * others, and one that cannot be planned before those before it are applied says so. Nothing is changed in the cloud.
 */
import { appendFile, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Terraform } from "../../adapter/terraform.js";
import { errorMessage } from "../../base/fault.js";
import { STACK_ORDER } from "../../policy/stack-order.js";
import { oneOf, parseCommandLine, UsageError } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { formatTable } from "../table.js";
import { untilEnding } from "./ending.js";
import { whyNotPlan } from "./left-behind.js";
import { openTerraform } from "./open-terraform.js";
import { findStackFolders, type StackFolder } from "./stack-folders.js";
import { sayLocked } from "./state-lock.js";
import { terraformComplaint, waitsForOthers } from "./terraform-complaint.js";

/** Kept in Git where somebody has made it: the checksums of the provider for every platform. */
const COMMITTED_LOCK = join("infra", "terraform.lock.hcl");
const PLAN_FILE = "plan.bin";
/** It may hold values that nobody marked as sensitive. */
const PRIVATE = { mode: 0o600 };

export type StackState = "changes" | "none" | "waits" | "error";

export interface PlannedStack {
  readonly stack: string;
  readonly state: StackState;
  /** Lines of people, without values; empty when it was planned. */
  readonly why: readonly string[];
}

const OPTIONS = {
  env: { type: "string" },
  dir: { type: "string", default: "cdktf.out/stacks" },
  out: { type: "string", default: "plans" },
  stack: { type: "string" },
  "plugin-dir": { type: "string" },
  "github-output": { type: "string" },
} as const;

/** Exits with 1 when a stack could not be planned; one that waits for others is no failure. */
export async function runPlan(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const { env } = values;
  if (env === undefined) throw new UsageError("--env is missing");
  const part = values.stack === undefined ? null : oneOf("--stack", values.stack, STACK_ORDER);
  const folders = await findStackFolders(resolve(io.cwd, values.dir), env, part);
  const planned = await untilEnding(io, (ending) =>
    planStacks({
      ...{ terraform: openTerraform(io, ending), folders, out: resolve(io.cwd, values.out), env },
      pluginDir: values["plugin-dir"],
      committedLock: join(io.cwd, COMMITTED_LOCK),
      onStack: (stack) => io.progress(`planning ${stack}`),
    }),
  );
  const output = values["github-output"];
  if (output !== undefined) await tellGitHub(resolve(io.cwd, output), planned);
  return tell(planned, io);
}

export interface PlanningOptions {
  readonly env: string;
  readonly terraform: Terraform;
  readonly folders: readonly StackFolder[];
  /** Takes `<stack>.json` or `<stack>.error.txt` of each, and `plans.json` of all. */
  readonly out: string;
  readonly pluginDir: string | undefined;
  readonly committedLock: string;
  readonly onStack: (stack: string) => void;
}

/** Never throws for what Terraform says: that is the state of the stack. */
export async function planStacks(options: PlanningOptions): Promise<PlannedStack[]> {
  const { folders, out, onStack } = options;
  await mkdir(out, { recursive: true });
  const planned: PlannedStack[] = [];
  for (const folder of folders) {
    onStack(folder.part);
    planned.push(await planStack(options, folder));
  }
  await writeFile(join(out, "plans.json"), `${JSON.stringify(planned, null, 2)}\n`);
  return planned;
}

async function planStack(options: PlanningOptions, place: StackFolder): Promise<PlannedStack> {
  const { part } = place;
  // A report of an earlier look must not stand in for this one.
  const files = ["json", "error.txt"].map((ending) => join(options.out, `${part}.${ending}`));
  for (const file of files) await rm(file, { force: true });
  try {
    const planned = await planFolder(options, place);
    if (typeof planned === "string") return { stack: part, state: planned, why: [] };
    return await tellError(files[1]!, part, planned);
  } catch (error) {
    const message = errorMessage(error);
    const why = waitsForOthers(message)
      ? ["waits: a stack before it is not applied yet, so nothing is known of this one"]
      : [
          ...terraformComplaint(message),
          ...sayLocked(message, { ...options, stack: part, ...place }),
        ];
    const state = waitsForOthers(message) ? "waits" : "error";
    return await tellError(files[1]!, part, why, state);
  }
}

async function tellError(
  file: string,
  stack: string,
  why: readonly string[],
  state: "error" | "waits" = "error",
): Promise<PlannedStack> {
  await writeFile(file, `${why.join("\n")}\n`);
  return { stack, state, why };
}

/** Or why nothing may be planned there. */
async function planFolder(
  { terraform, out, pluginDir, committedLock }: PlanningOptions,
  { part, folder }: StackFolder,
): Promise<"changes" | "none" | readonly string[]> {
  await copyIfThere(committedLock, join(folder, ".terraform.lock.hcl"));
  await terraform.init(folder, pluginDir === undefined ? {} : { pluginDir });
  const left = await whyNotPlan(terraform, folder);
  if (left.length > 0) return left;
  const changes = await terraform.plan(folder, { out: PLAN_FILE });
  const shown = await terraform.showPlan(folder, PLAN_FILE);
  await writeFile(join(out, `${part}.json`), `${JSON.stringify(shown)}\n`, PRIVATE);
  return changes === "changes" ? "changes" : "none";
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

/** `changes=true` is what the job that applies waits for; a stack that failed gives it nothing to apply. */
async function tellGitHub(file: string, planned: readonly PlannedStack[]): Promise<void> {
  const changes = planned.some(({ state }) => state === "changes");
  await appendFile(file, `changes=${changes}\n`);
}

function tell(planned: readonly PlannedStack[], io: CommandIo): number {
  const rows = planned.map(({ stack, state }) => [stack, state]);
  for (const line of formatTable(["stack", "plan"], rows)) io.out(line);
  for (const { stack, why } of planned) for (const line of why) io.err(`${stack}: ${line}`);
  return planned.some(({ state }) => state === "error") ? EXIT_FAILED : EXIT_OK;
}
