/**
 * The real Terraform, one folder and one step at a time: never a prompt, always a deadline. A plan is saved, read as
 * JSON and applied as it was saved. Its text is shown to nobody: it may hold values that no one marked as sensitive.
 */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fault } from "../base/fault.js";
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import type { Shell, ShellResult } from "../runbook/port.js";

/** An apply waits for AWS, which takes its time for a database; the rest answers in seconds to minutes. */
const STEP_TIMEOUT_MS = 10 * 60_000;
const APPLY_TIMEOUT_MS = 60 * 60_000;
/** Another run may hold the lock of the state. */
const LOCK_TIMEOUT = "2m";
/** A plan of a thousand resources takes some 5 MB. */
const JSON_MAX_BYTES = 128 * 1024 * 1024;
const COMPLAINT_MAX = 4_000;

const STEPS = new Set(["init", "validate", "plan", "show", "apply", "state"]);

/** Arguments of /bin/sh: the first word after them is the file, the rest is the program. */
const INTO_FILE = ["-c", 'into=$1; shift; umask 077; exec "$@" > "$into"', "sh"];

/** Of /bin/sh when there is no such program. */
const EXIT_NOT_FOUND = 127;
/** Of `-detailed-exitcode`. */
const EXIT_CHANGES = 2;

export interface TerraformSetup {
  readonly shell: Shell;
  readonly signal: AbortSignal;
  /** Nothing else is inherited: credentials, `TF_VAR_…`. Values never stand on the command line. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: `terraform` of the PATH. */
  readonly program?: string;
}

export interface PlanOptions {
  /** File that takes the plan, relative to the folder. */
  readonly out: string;
  readonly destroy?: boolean;
  /** Addresses of Terraform; only these and what they stand on are planned. Default: everything. */
  readonly targets?: readonly string[];
}

export interface ValidationProblem {
  readonly summary: string;
  readonly detail: string;
}

/** Whose state it is, and how often it has changed; null before the first apply. */
export interface StateMark {
  readonly lineage: string;
  readonly serial: number;
}

/** Every call throws `TERRAFORM_FAILED` with what Terraform complained of, `TERRAFORM_TIMED_OUT` or `TERRAFORM_MISSING`. */
export interface Terraform {
  /** With `pluginDir`, providers come from that folder alone and nothing is downloaded. */
  init(folder: string, options?: { readonly pluginDir?: string }): Promise<void>;
  /** What is wrong; empty when the configuration is valid. */
  validate(folder: string): Promise<readonly ValidationProblem[]>;
  plan(folder: string, options: PlanOptions): Promise<"nothing" | "changes">;
  /** The JSON form of a saved plan: foreign data, with secrets where the configuration has them. */
  showPlan(folder: string, planFile: string): Promise<Json>;
  apply(folder: string, planFile: string): Promise<void>;
  stateMark(folder: string): Promise<StateMark | null>;
}

export function createTerraform(setup: TerraformSetup): Terraform {
  const call = (folder: string, args: readonly string[], timeoutMs = STEP_TIMEOUT_MS) =>
    callTerraform(setup, folder, args, timeoutMs);
  return {
    init: async (folder, { pluginDir } = {}) => {
      const mirror = pluginDir === undefined ? [] : [`-plugin-dir=${pluginDir}`];
      await call(folder, ["init", "-input=false", "-no-color", ...mirror]);
    },
    validate: async (folder) =>
      readProblems(await callForJson(setup, folder, ["validate", "-json"], [1])),
    plan: async (folder, { out, destroy, targets = [] }) => {
      const args = ["plan", "-input=false", "-no-color", `-lock-timeout=${LOCK_TIMEOUT}`];
      const flags = ["-detailed-exitcode", ...(destroy ? ["-destroy"] : []), `-out=${out}`];
      const parts = targets.map((address) => `-target=${address}`);
      const words = [...args, ...flags, ...parts];
      const planned = await callTerraform(setup, folder, words, STEP_TIMEOUT_MS, [EXIT_CHANGES]);
      return planned.exitCode === EXIT_CHANGES ? "changes" : "nothing";
    },
    showPlan: (folder, planFile) => callForJson(setup, folder, ["show", "-json", planFile]),
    apply: async (folder, planFile) => {
      const args = ["apply", "-input=false", "-no-color", `-lock-timeout=${LOCK_TIMEOUT}`];
      await call(folder, [...args, planFile], APPLY_TIMEOUT_MS);
    },
    stateMark: async (folder) => {
      const state = await callForJson(setup, folder, ["state", "pull"]);
      return isJsonObject(state) ? readMark(state) : null;
    },
  };
}

async function callTerraform(
  { shell, signal, env = {}, program = "terraform" }: TerraformSetup,
  folder: string,
  args: readonly string[],
  timeoutMs: number,
  alsoGood: readonly number[] = [],
): Promise<ShellResult> {
  const result = await shell.run([program, ...args], {
    signal,
    timeoutMs,
    cwd: folder,
    env: { CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1", ...env },
  });
  if (result.exitCode !== null && [0, ...alsoGood].includes(result.exitCode)) return result;
  throw explain(args.find((word) => STEPS.has(word)) ?? "", folder, result);
}

/** Through a file: one line of many megabytes is no line of a log, and nothing of it may be cut. */
async function callForJson(
  setup: TerraformSetup,
  folder: string,
  args: readonly string[],
  alsoGood: readonly number[] = [],
): Promise<Json> {
  const scratch = await mkdtemp(join(tmpdir(), "algobrain-terraform-"));
  const file = join(scratch, "answer.json");
  const words = [...INTO_FILE, file, setup.program ?? "terraform", ...args];
  try {
    await callTerraform({ ...setup, program: "/bin/sh" }, folder, words, STEP_TIMEOUT_MS, alsoGood);
    return await readJson(file);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function readJson(file: string): Promise<Json> {
  const { size } = await stat(file);
  if (size > JSON_MAX_BYTES)
    throw fault.data(
      "TERRAFORM_ANSWER_TOO_LARGE",
      `terraform answered ${size} bytes, expected at most ${JSON_MAX_BYTES}`,
    );
  // A state that was never written is pulled as nothing.
  return size === 0 ? null : JSON.parse(await readFile(file, "utf8"));
}

/** Only a clear yes is one: a Terraform that ended before it looked has found nothing, too. */
function readProblems(answer: Json): ValidationProblem[] {
  const { valid, diagnostics } = isJsonObject(answer) ? answer : {};
  if (valid === true) return [];
  const problems = (Array.isArray(diagnostics) ? diagnostics : [])
    .filter(isJsonObject)
    .filter(({ severity }) => severity === "error")
    .map(({ summary, detail }) => ({ summary: String(summary), detail: String(detail ?? "") }));
  if (problems.length > 0) return problems;
  return [{ summary: "terraform validate did not say that it is valid", detail: "" }];
}

function readMark({ lineage, serial }: JsonObject): StateMark {
  return { lineage: String(lineage), serial: Number(serial) };
}

function explain(step: string, folder: string, { endedBy, exitCode, stderr }: ShellResult) {
  const details = { step, folder, exitCode, endedBy };
  if (endedBy !== "exit")
    return fault.transient(
      "TERRAFORM_TIMED_OUT",
      `terraform ${step} in ${folder} was ended: ${endedBy}`,
      { details },
    );
  if (exitCode === EXIT_NOT_FOUND)
    return fault.refused("TERRAFORM_MISSING", "there is no terraform on the PATH", {
      details,
      hint: "install Terraform 1.10 or later, which can lock a state in S3",
    });
  const said = withoutExcerpts(stderr).slice(0, COMPLAINT_MAX);
  return fault.data("TERRAFORM_FAILED", `terraform ${step} in ${folder} failed:\n${said}`, {
    details,
    hint: "correct what terraform names; after a change of the state, plan again",
  });
}

/**
 * Terraform shows the line of the configuration that it complains of (`12: "value": …`) and the values in it
 * (`│ var.token is "…"`): a container's environment stands in one such line. People get the place without them.
 */
function withoutExcerpts(text: string): string {
  const lines = text.split("\n").filter((line) => !/^\s*(\d+: |[│├])/.test(line));
  return lines
    .join("\n")
    .replaceAll(/\n{2,}/g, "\n")
    .trim();
}
