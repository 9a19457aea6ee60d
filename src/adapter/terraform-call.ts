/** One call of Terraform: never a prompt, never a value on the command line, always a deadline; and what of its complaint people get. */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fault } from "../base/fault.js";
import type { Json } from "../base/json.js";
import type { Shell, ShellResult } from "../runbook/port.js";

/** An apply waits for AWS, which takes its time for a database; the rest answers in seconds to minutes. */
const STEP_TIMEOUT_MS = 10 * 60_000;
/** What is interrupted lets go of the lock of the state before it ends. */
const GRACE_MS = 30_000;
/** A plan of a thousand resources takes some 5 MB. */
const JSON_MAX_BYTES = 128 * 1024 * 1024;
const COMPLAINT_MAX = 4_000;

const STEPS = new Set(["init", "validate", "plan", "show", "apply", "state", "force-unlock"]);

/** Arguments of /bin/sh: the first word after them is the file, the rest is the program. */
const INTO_FILE = ["-c", 'into=$1; shift; umask 077; exec "$@" > "$into"', "sh"];

/** Of /bin/sh when there is no such program. */
const EXIT_NOT_FOUND = 127;

export interface TerraformSetup {
  readonly shell: Shell;
  /** Aborted: Terraform is interrupted once, and gets time to write its state and to let go of the lock. */
  readonly signal: AbortSignal;
  /** Nothing else is inherited: credentials, `TF_VAR_…`. Values never stand on the command line. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: `terraform` of the PATH. */
  readonly program?: string;
}

export interface CallOptions {
  /** Milliseconds. */
  readonly timeoutMs?: number;
  /** Milliseconds between the interruption and the end by force. */
  readonly graceMs?: number;
  /** Exit codes besides 0 that are answers. */
  readonly alsoGood?: readonly number[];
}

/** Throws `TERRAFORM_FAILED`, `TERRAFORM_TIMED_OUT`, `TERRAFORM_KILLED` or `TERRAFORM_MISSING`. */
export async function callTerraform(
  { shell, signal, env = {}, program = "terraform" }: TerraformSetup,
  folder: string,
  args: readonly string[],
  { timeoutMs = STEP_TIMEOUT_MS, graceMs = GRACE_MS, alsoGood = [] }: CallOptions = {},
): Promise<ShellResult> {
  const result = await shell.run([program, ...args], {
    ...{ signal, timeoutMs, graceMs, cwd: folder },
    // To the whole group, as Ctrl-C does: providers leave it to Terraform (go-plugin), and TERM would end them in the midst.
    endSignal: "SIGINT",
    env: { CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1", ...env },
  });
  if (result.exitCode !== null && [0, ...alsoGood].includes(result.exitCode)) return result;
  throw explain(args.find((word) => STEPS.has(word)) ?? "", folder, result);
}

/** Through a file: one line of many megabytes is no line of a log, and nothing of it may be cut. */
export async function callForJson(
  setup: TerraformSetup,
  folder: string,
  args: readonly string[],
  alsoGood: readonly number[] = [],
): Promise<Json> {
  const scratch = await mkdtemp(join(tmpdir(), "algobrain-terraform-"));
  const file = join(scratch, "answer.json");
  try {
    await callIntoFile(setup, folder, file, args, { alsoGood });
    return await readJson(file);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What it says goes into a file that only this user reads, and not through us: it goes on when we are killed. */
export function callIntoFile(
  setup: TerraformSetup,
  folder: string,
  file: string,
  args: readonly string[],
  options: CallOptions = {},
): Promise<ShellResult> {
  const words = [...INTO_FILE, file, setup.program ?? "terraform", ...args];
  return callTerraform({ ...setup, program: "/bin/sh" }, folder, words, options);
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

function explain(step: string, folder: string, { endedBy, exitCode, signal, stderr }: ShellResult) {
  const details = { step, folder, exitCode, endedBy };
  if (signal === "SIGKILL" && endedBy === "exit")
    return fault.transient("TERRAFORM_KILLED", `terraform ${step} in ${folder} was killed`, {
      details,
    });
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
