/**
 * What an apply that did not end well has left: things that exist and are not in the state, which the next apply would make
 * a second time; a state that was not stored; a lock.
 */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  APPLY_LOG,
  type ApplyStep,
  findOrphans,
  type Orphan,
  readApplyLog,
} from "../../adapter/apply-log.js";
import type { Terraform } from "../../adapter/terraform.js";
import { systemClock } from "../../base/clock.js";
import { errorMessage } from "../../base/fault.js";
import { isJsonObject, type Json } from "../../base/json.js";
import { planAdoption } from "../../review/infra/adopt.js";
import { IMPORT_RULES } from "../../review/infra/import-rules.js";
import { describeLock, howToUnlock, type LockPlace } from "./state-lock.js";
import { terraformComplaint } from "./terraform-complaint.js";
import { storeState, unstoredState, wayBack } from "./unstored-state.js";

const IMPORT_FILE = "imports.tf.json";

/** A line of the log of an apply, so that it is known also where the machine is gone. */
export function sayStep({ state, action, address, id }: ApplyStep): string {
  const name = id === null ? "" : ` (${id})`;
  if (state === "begun") return `${address}: ${action} begun`;
  return state === "done" ? `${address}: ${action} done${name}` : `${address}: ${action} failed`;
}

/** Null: no apply of this folder was cut off. */
export async function readLeftLog(folder: string): Promise<readonly ApplyStep[] | null> {
  const texts = await Promise.all((await logsIn(folder)).map((file) => readFile(file, "utf8")));
  const steps = texts.flatMap((text) => readApplyLog(text).steps);
  return steps.length === 0 ? null : steps;
}

async function logsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => APPLY_LOG.test(name)).map((name) => join(folder, name));
}

/** Why nothing may be planned here before a person has looked; empty when nothing was left. */
export async function whyNotPlan(terraform: Terraform, folder: string): Promise<string[]> {
  const file = await unstoredState(folder);
  if (file !== null)
    return [`the state of an apply before is not stored: ${wayBack(file, folder)}`];
  const steps = await readLeftLog(folder);
  if (steps === null) return [];
  const imported = await importedIn(folder);
  const kept = [...(await terraform.stateAddresses(folder)), ...imported];
  const orphans = findOrphans(steps, kept);
  // All of it is known by now: what that apply left is a part of what will be planned.
  if (orphans.length > 0) return sayOrphans(folder, orphans);
  for (const file of await logsIn(folder)) await rm(file, { force: true });
  return [];
}

/** After an apply that failed: what there is to know and to do, one sentence a line. Never throws. */
export async function sayLeft(terraform: Terraform, place: LockPlace): Promise<string[]> {
  const { folder } = place;
  const said: string[] = [];
  const tell = async (what: string, look: () => Promise<readonly string[]>) => {
    try {
      said.push(...(await look()));
    } catch (error) {
      const why = terraformComplaint(errorMessage(error))[0] ?? "";
      said.push(`${what} could not be looked at (${why}): look before you plan again`);
    }
  };
  const steps = await readLeftLog(folder);
  await tell("the state", () => storeState(terraform, folder));
  await tell("what was made", async () => {
    const orphans = findOrphans(steps ?? [], await terraform.stateAddresses(folder));
    return orphans.length === 0 ? [] : sayOrphans(folder, orphans);
  });
  await tell("the lock", async () => {
    const lock = await terraform.lock(folder);
    if (lock !== null) return [describeLock(lock, systemClock.now()), howToUnlock(lock, place)];
    // What was begun is not begun again from the same plan, wherever that is tried.
    if (steps !== null) await terraform.spoilPlans(folder);
    return [];
  });
  return said;
}

async function sayOrphans(folder: string, orphans: readonly Orphan[]): Promise<string[]> {
  const keys = await keysOf(folder);
  return [
    ...orphans.map((orphan) => sayOrphan(orphan, keys.get(orphan.address) ?? null)),
    'list those that are there in a file {"resources": […]}, and: algobrain infra adopt --env ENVIRONMENT --estate FILE; then plan again',
    `when none of them is there: remove ${(await logsIn(folder)).join(" ")}, and plan again`,
  ];
}

function sayOrphan({ address, type, id, isMade }: Orphan, key: string | null): string {
  const what = isMade ? "was made and is not in the state" : "was begun, and may have been made";
  const byKey = IMPORT_RULES[type]?.by === "key";
  const found = byKey ? (key ?? id) : id;
  const row = { type, id: found ?? "LOOK IT UP", ...(key === null ? {} : { name: key }) };
  return `${address} ${what}: ${JSON.stringify(row)}`;
}

/** What each resource of the folder is called, by its address. */
async function keysOf(folder: string): Promise<ReadonlyMap<string, string | null>> {
  const document: Json = JSON.parse(await readFile(join(folder, "cdk.tf.json"), "utf8"));
  if (!isJsonObject(document)) return new Map();
  const { missing } = planAdoption({ this: document }, []);
  return new Map(missing.map(({ address, key }) => [address, key]));
}

async function importedIn(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, IMPORT_FILE), "utf8").catch(ifAbsent);
  const blocks: Json = text === null ? null : JSON.parse(text);
  const listed = isJsonObject(blocks) && Array.isArray(blocks.import) ? blocks.import : [];
  return listed.flatMap((block) => (isJsonObject(block) ? [String(block.to)] : []));
}

function ifAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
