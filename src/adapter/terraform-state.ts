/** The state of a stack where it is stored: how often it has changed, what it holds, and who holds its lock. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, fault } from "../base/fault.js";
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import { callForJson, callTerraform, type TerraformSetup } from "./terraform-call.js";

/** Whose state it is, and how often it has changed. */
export interface StateMark {
  readonly lineage: string;
  readonly serial: number;
}

export interface KeptState {
  readonly mark: StateMark;
  /** `aws_vpc.main`, `aws_subnet.private["a"]`. */
  readonly addresses: readonly string[];
}

/** As Terraform tells it (`statemgr.LockInfo`). */
export interface StateLock {
  readonly id: string;
  /** `OperationTypeApply`, `OperationTypePlan`. */
  readonly operation: string;
  /** `user@host`. */
  readonly who: string;
  readonly created: Date;
}

/** Of an id that no lock has, since they are UUIDs: Terraform answers with the lock that is there. */
const NO_ID = "0";
const LOCK_LINE = /^\s*(ID|Operation|Who|Created):\s+(\S.*)$/;
/** Of S3 when there is no lock file, and of a backend whose lock ends with its holder. */
const NO_LOCK =
  /NoSuchKey|StatusCode: 404|no lock info|Local state cannot be unlocked|LocalState not locked/i;

/** Null: it was never written. */
export async function readState(setup: TerraformSetup, folder: string): Promise<KeptState | null> {
  const state = await pullState(setup, folder);
  if (state === null) return null;
  const mark = { lineage: String(state.lineage), serial: Number(state.serial) };
  return { mark, addresses: listOf(state.resources).flatMap(addressesOf) };
}

/** Of a state that was never written S3 gives one without a lineage, and a file gives nothing. */
async function pullState(setup: TerraformSetup, folder: string): Promise<JsonObject | null> {
  const state = await callForJson(setup, folder, ["state", "pull"]);
  return isJsonObject(state) && state.lineage !== "" ? state : null;
}

function listOf(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter((one) => isJsonObject(one)) : [];
}

function addressesOf({ mode, type, name, instances }: JsonObject): string[] {
  if (mode !== "managed") return [];
  return listOf(instances).map(({ index_key: key }) => {
    const index = key === undefined ? "" : `[${JSON.stringify(key)}]`;
    return `${String(type)}.${String(name)}${index}`;
  });
}

/** Asks for the release of a lock that cannot be: the answer names the one that is. */
export async function askLock(setup: TerraformSetup, folder: string): Promise<StateLock | null> {
  try {
    await forceUnlock(setup, folder, NO_ID);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "TERRAFORM_FAILED") throw error;
    const lock = readLock(error.message);
    if (lock !== null) return lock;
    if (NO_LOCK.test(error.message)) return null;
    throw error;
  }
  throw fault.critical("LOCK_UNKNOWN", "terraform has released a lock that nobody named");
}

export async function forceUnlock(
  setup: TerraformSetup,
  folder: string,
  id: string,
): Promise<void> {
  await callTerraform(setup, folder, ["force-unlock", "-no-color", "-force", id]);
}

/** What a complaint says of the lock that was in the way; null: it says nothing of one. */
export function readLock(complaint: string): StateLock | null {
  const found: Record<string, string> = {};
  for (const line of complaint.split("\n")) {
    const [, name, value] = LOCK_LINE.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found[name] ??= value.trim();
  }
  const { ID: id, Operation: operation, Who: who, Created } = found;
  const created = goTime(Created ?? "");
  if (id === undefined || operation === undefined || who === undefined || !created) return null;
  return { id, operation, who, created };
}

/** `2026-11-22 20:29:36.516770618 +0000 UTC`, as Go prints a time. */
function goTime(text: string): Date | null {
  const [, day, time] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? \+0000 UTC/.exec(text) ?? [];
  return day === undefined ? null : new Date(`${day}T${time}Z`);
}

export async function pushState(
  setup: TerraformSetup,
  folder: string,
  file: string,
  flags: readonly string[] = [],
): Promise<void> {
  await callTerraform(setup, folder, ["state", "push", ...flags, file]);
}

/** `pastLock`: whoever holds it is gone, and until it is released nobody else comes in between. */
export async function spoilPlans(
  setup: TerraformSetup,
  folder: string,
  { pastLock = false }: { readonly pastLock?: boolean } = {},
): Promise<void> {
  const state = await pullState(setup, folder);
  const next = state ? { ...state, serial: Number(state.serial) + 1 } : emptyState();
  const scratch = await mkdtemp(join(tmpdir(), "algobrain-state-"));
  try {
    const file = join(scratch, "next.tfstate");
    // It holds secrets.
    await writeFile(file, JSON.stringify(next), { mode: 0o600 });
    await pushState(setup, folder, file, pastLock ? ["-lock=false"] : []);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function emptyState(): JsonObject {
  return {
    ...{ version: 4, terraform_version: "1.10.0", serial: 1, lineage: randomUUID() },
    ...{ outputs: {}, resources: [] },
  };
}
