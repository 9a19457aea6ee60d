/**
 * An apply whose words go into a file of its folder: they are the record of what was begun and done, and are there when
 * whoever started it is not. Terraform dies of a pipe that nobody reads, in the midst of its work; of a file it does not.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../base/fault.js";
import { APPLY_LOG, type ApplyStep, readApplyLog } from "./apply-log.js";
import { followFile } from "./follow-file.js";
import { callIntoFile, type TerraformSetup } from "./terraform-call.js";

/** Of the apply of one stack: a database takes half an hour. */
const APPLY_TIMEOUT_MS = 60 * 60_000;
/** What is being made is made to its end; GitHub's own limit on a cancelled job is five minutes. */
const GRACE_MS = 5 * 60_000;
const COMPLAINT_MAX = 4_000;

export interface ApplyOptions {
  readonly planFile: string;
  readonly lockTimeout: string;
  readonly onStep?: ((step: ApplyStep) => void) | undefined;
}

/** Throws as every call does; the complaint is put together from what stands in the file. */
export async function applyPlan(
  setup: TerraformSetup,
  folder: string,
  { planFile, lockTimeout, onStep }: ApplyOptions,
): Promise<void> {
  const file = join(folder, APPLY_LOG);
  const args = ["apply", "-json", "-input=false", `-lock-timeout=${lockTimeout}`, planFile];
  // That of an apply before is not this one's.
  await rm(file, { force: true });
  const following = followFile(file, (text) => {
    for (const step of readApplyLog(text).steps) onStep?.(step);
  });
  try {
    const limits = { timeoutMs: APPLY_TIMEOUT_MS, graceMs: GRACE_MS };
    await callIntoFile(setup, folder, file, args, limits);
    await following.stop();
    await rm(file, { force: true });
  } catch (error) {
    throw await withComplaint(error, following.stop);
  } finally {
    await following.stop();
  }
}

async function withComplaint(error: unknown, stop: () => Promise<string>): Promise<unknown> {
  const { complaints } = readApplyLog(await stop());
  if (!(error instanceof Fault) || complaints.length === 0) return error;
  const { kind, code, message, hint, details } = error;
  const said = complaints.join("\n").slice(0, COMPLAINT_MAX);
  return new Fault(kind, code, `${message.trimEnd()}\n${said}`, { hint, details, cause: error });
}
