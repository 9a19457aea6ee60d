/** What a saved plan in a folder stands on, looked at twice: when it is sealed, and again when it is to be applied. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { createShell } from "../../adapter/shell.js";
import { fault } from "../../base/fault.js";
import { canonicalJson } from "../../base/json.js";
import { formatProblem } from "../../base/problem.js";
import { bundleDigest } from "../../policy/envelope.js";
import type { PolicySet } from "../../policy/policy.js";
import { STACK_ORDER } from "../../policy/stack-order.js";
import type { PlanDocument } from "../../review/infra/plan-document.js";
import { readPlan } from "../../review/infra/read-plan.js";
import { IMAGE_VARIABLE } from "../../review/infra/running-tag.js";
import type { Sealable } from "../../review/infra/seal.js";
import { oneOf, UsageError } from "../arguments.js";
import type { CommandIo } from "../command.js";
import { makeBundleFrom } from "../policy/bundle.js";
import { openTerraform } from "./open-terraform.js";
import { POLICY_OPTIONS } from "./policy-of.js";
import { findStackFolders } from "./stack-folders.js";

export const SEAL_OPTIONS = {
  ...POLICY_OPTIONS,
  dir: { type: "string" },
  stack: { type: "string" },
} as const;

/** Beside the plan. */
export const SEAL_FILE = "plan.seal.json";
export const PLAN_FILE = "plan.bin";
export const LOCK_FILE = ".terraform.lock.hcl";
const SYNTH_FILE = "cdk.tf.json";
const GIT_TIMEOUT_MS = 30_000;

export interface FolderWish {
  readonly env: string;
  readonly policies: string;
  readonly dir?: string | undefined;
  readonly stack?: string | undefined;
}

export interface SealedFolder {
  readonly folder: string;
  readonly facts: Sealable;
  readonly plan: PlanDocument;
  readonly policy: PolicySet;
}

/** Null when the policies have problems: they have been shown. */
export async function lookAtFolder(wish: FolderWish, io: CommandIo): Promise<SealedFolder | null> {
  const { dir, stack, env, policies } = wish;
  if (dir === undefined || stack === undefined)
    throw new UsageError("--dir and --stack are needed");
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(stack))
    throw new UsageError(`--stack: found "${stack}", expected a name such as services`);
  const folder = await folderOf(resolve(io.cwd, dir), env, stack);
  const digests = await digestsOf(folder);
  const made = await makeBundleFrom({ env, dir: policies }, io);
  if (made === null) return null;
  const terraform = openTerraform(io);
  const json = await terraform.showPlan(folder, PLAN_FILE);
  const plan = readPlan(json, { stack, file: PLAN_FILE });
  if (!plan.ok)
    throw fault.data("PLAN_INVALID", plan.problems.map(formatProblem).join("\n"), {
      hint: "plan again with the Terraform that .terraform-version or the workflow names",
    });
  const mark = await terraform.stateMark(folder);
  const facts: Sealable = {
    ...{ environment: env, stack, commit: await commitOf(io), ...digests },
    policyDigest: bundleDigest(made.bundle),
    ...{ stateLineage: mark?.lineage ?? null, stateSerial: mark?.serial ?? 0 },
    planJsonSha256: createHash("sha256").update(canonicalJson(json)).digest("hex"),
    terraform: plan.value.terraformVersion,
    imageTag: plan.value.imageTag === null ? null : runningImage(io),
  };
  return { folder, facts, plan: plan.value, policy: made.set };
}

/** As `infra running-tag` has just found it: the plan says what ran then, and a deployment may have come since. */
function runningImage({ env }: CommandIo): string | null {
  return env[IMAGE_VARIABLE] ?? null;
}

/** The folder of the stack itself, or the one that holds those of all stacks, as `synth` writes them. */
export async function folderOf(dir: string, environment: string, stack: string): Promise<string> {
  const isStack = await access(join(dir, SYNTH_FILE)).then(
    () => true,
    () => false,
  );
  if (isStack) return dir;
  const [found] = await findStackFolders(dir, environment, oneOf("--stack", stack, STACK_ORDER));
  return found?.folder ?? dir;
}

async function digestsOf(folder: string) {
  const [planSha256, lockSha256, synthSha256] = [
    await sha256Of(folder, PLAN_FILE),
    await sha256Of(folder, LOCK_FILE),
    await sha256Of(folder, SYNTH_FILE),
  ];
  return { planSha256, lockSha256, synthSha256 };
}

async function sha256Of(folder: string, name: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(join(folder, name)), hash);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fault.refused("PLAN_NOT_FOUND", `${join(folder, name)} cannot be read (${code})`, {
      hint: `a folder to seal has ${PLAN_FILE}, ${LOCK_FILE} and ${SYNTH_FILE}`,
      cause: error,
    });
  }
  return hash.digest("hex");
}

async function commitOf(io: CommandIo): Promise<string> {
  const shell = createShell({ redact: (text) => text, path: io.env.PATH });
  const { stdout, stderr, exitCode } = await shell.run(["git", "rev-parse", "--verify", "HEAD"], {
    ...{ cwd: io.cwd, timeoutMs: GIT_TIMEOUT_MS, signal: new AbortController().signal },
  });
  if (exitCode === 0) return stdout.trim();
  throw fault.refused(
    "COMMIT_UNKNOWN",
    `git does not say which commit this is: ${stderr.trim().slice(0, 200)}`,
    {
      hint: "run this in the checkout that the plan was made of",
    },
  );
}
