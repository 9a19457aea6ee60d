/** Plans as they were named on a command line: `services=plan.json`, `data=plan.bin`, `delivery=error:no credentials`. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fault } from "../../base/fault.js";
import { formatProblem } from "../../base/problem.js";
import { STACK_ORDER } from "../../policy/stack-order.js";
import type { PlanDocument } from "../../review/infra/plan-document.js";
import { readPlan } from "../../review/infra/read-plan.js";
import { UsageError } from "../arguments.js";
import type { CommandIo } from "../command.js";
import { openTerraform } from "./open-terraform.js";

export interface SavedPlan {
  readonly stack: string;
  /** `waits`: a stack before it was never applied, so nothing is wrong, and nothing is known. */
  readonly plan: PlanDocument | { readonly error: string; readonly waits?: boolean };
}

/** Of review and drift. */
export const PLAN_OPTIONS = {
  plans: { type: "string" },
  plan: { type: "string", multiple: true },
} as const;

export interface PlanWish {
  /** A folder that `infra plan` has written: `<stack>.json`, or `<stack>.error.txt`. */
  readonly plans?: string | undefined;
  readonly plan?: string[] | undefined;
}

/** A plan of a thousand resources takes some 5 MB. */
const BYTES_MAX = 128 * 1_048_576;
const PLANS_MAX = 40;
const NAMED = /^([a-z][a-z0-9-]{0,62})=(.+)$/s;
const IN_FOLDER = /^([a-z][a-z0-9-]{0,62})\.(json|error\.txt)$/;
/** Of all of them, by the same program. */
const SUMMARY = "plans.json";
const ERROR_MAX = 2_000;

/** What cannot be read is an error of that stack, never the end of the others' report. */
export async function readSavedPlans(wish: PlanWish, io: CommandIo): Promise<SavedPlan[]> {
  const named = [...(await inFolder(wish.plans, io)), ...(wish.plan ?? []).map(readNamed)];
  if (named.length === 0)
    throw new UsageError(
      "--plans or --plan is missing: a folder, or STACK=FILE once for each stack",
    );
  if (named.length > PLANS_MAX)
    throw new UsageError(`--plan: found ${named.length}, expected at most ${PLANS_MAX}`);
  const stacks = named.map(({ stack }) => stack);
  const twice = stacks.find((stack, index) => stacks.indexOf(stack) !== index);
  if (twice !== undefined) throw new UsageError(`--plan: found "${twice}" twice`);
  const saved: SavedPlan[] = [];
  // One after the other: each may be large, and what is kept of it is small.
  for (const one of named) saved.push(await readOne(one, io));
  return saved;
}

interface Named {
  readonly stack: string;
  /** A path, or `error:` and a text. */
  readonly at: string;
}

function readNamed(text: string): Named {
  const [, stack, at] = NAMED.exec(text) ?? [];
  if (stack === undefined || at === undefined)
    throw new UsageError(`--plan: found "${text}", expected STACK=FILE such as services=plan.json`);
  return { stack, at };
}

/** In the order in which they are applied; what is none of them last. Without any plan there is one that failed. */
async function inFolder(typed: string | undefined, io: CommandIo): Promise<Named[]> {
  if (typed === undefined) return [];
  const names = await readdir(resolve(io.cwd, typed)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return [];
  });
  const found = names.flatMap((name) => {
    const stack = name === SUMMARY ? undefined : IN_FOLDER.exec(name)?.[1];
    return stack === undefined ? [] : [{ stack, at: join(typed, name) }];
  });
  // Whoever waits for the report must read that there is nothing to report on.
  if (found.length === 0)
    return [{ stack: "all", at: "error:no plan was made: the log of the job says why" }];
  const order: readonly string[] = STACK_ORDER;
  const rank = ({ stack }: Named) => (order.includes(stack) ? order.indexOf(stack) : order.length);
  return found.sort((a, b) => rank(a) - rank(b));
}

async function readOne({ stack, at }: Named, io: CommandIo): Promise<SavedPlan> {
  if (at.startsWith("error:")) return { stack, plan: errorOf(at.slice("error:".length)) };
  if (at.endsWith(".error.txt"))
    return { stack, plan: errorOf(await readFile(resolve(io.cwd, at), "utf8")) };
  const read = readPlan(await readJson(at, io), { stack, file: at });
  if (read.ok) return { stack, plan: read.value };
  const [first] = read.problems;
  return { stack, plan: { error: first ? formatProblem(first) : "it is no plan" } };
}

/** `waits: …` is what `infra plan` writes of a stack whose turn has not come. */
function errorOf(text: string): { readonly error: string; readonly waits: boolean } {
  const error = text.trim().slice(0, ERROR_MAX);
  return {
    error: error === "" ? "it does not say why" : error,
    waits: error.startsWith("waits: "),
  };
}

/** JSON as Terraform shows it, or the saved plan itself, which Terraform is then asked to show. */
async function readJson(typed: string, io: CommandIo): Promise<unknown> {
  const path = resolve(io.cwd, typed);
  const { size } = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw notThere(typed, error);
  });
  if (size > BYTES_MAX)
    throw fault.refused("PLAN_TOO_LARGE", `${typed} has ${size} bytes`, {
      hint: `a plan has at most ${BYTES_MAX}: apply in smaller steps`,
    });
  if (!typed.endsWith(".json")) return openTerraform(io).showPlan(dirname(path), basename(path));
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    // What the text is, the reader says: its content is not repeated.
    return null;
  }
}

function notThere(typed: string, error: NodeJS.ErrnoException) {
  return fault.refused(
    "PLAN_NOT_FOUND",
    `${typed}: no plan is there (${error.code ?? "unknown"})`,
    {
      hint: "write it with: terraform plan -out plan.bin, then terraform show -json plan.bin",
    },
  );
}
