/**
 * An apply whose words go into a file of its folder: they are the record of what was begun and done, and are there when
 * whoever started it is not. Terraform dies of a pipe that nobody reads, in the midst of its work; of a file it does not.
 */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../base/fault.js";
import { type ApplyStep, readApplyLog } from "./apply-log.js";
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
  // Two applies at once are for Terraform's lock to part: neither writes into the other's.
  const file = join(folder, `apply-${randomUUID().slice(0, 8)}.jsonl`);
  const args = ["apply", "-json", "-input=false", `-lock-timeout=${lockTimeout}`, planFile];
  const following = followFile(file, (text) => {
    for (const step of readApplyLog(text).steps) onStep?.(step);
  });
  try {
    const limits = { timeoutMs: APPLY_TIMEOUT_MS, graceMs: GRACE_MS };
    await callIntoFile(setup, folder, file, args, limits);
    await following.stop();
    await rm(file, { force: true });
  } catch (error) {
    const said = await following.stop();
    if (readApplyLog(said).steps.length === 0) await rm(file, { force: true });
    throw withComplaint(error, said);
  } finally {
    await following.stop();
  }
}

function withComplaint(error: unknown, text: string): unknown {
  const { complaints } = readApplyLog(text);
  if (!(error instanceof Fault) || complaints.length === 0) return error;
  const { kind, code, message, hint, details } = error;
  const said = complaints.join("\n").slice(0, COMPLAINT_MAX);
  return new Fault(kind, code, `${message.trimEnd()}\n${said}`, { hint, details, cause: error });
}
