/**
 * `errored.tfstate`: what Terraform leaves when it could not store its state. It holds secrets and is the only record of
 * what was made, so it is closed to others, brought to where it belongs, and told of when that does not work.
 */
import { access, chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Terraform } from "../../adapter/terraform.js";
import { systemClock } from "../../base/clock.js";
import { errorMessage } from "../../base/fault.js";
import { terraformComplaint } from "./terraform-complaint.js";

const ERRORED_STATE = "errored.tfstate";
/** Between two tries, in milliseconds: a store that is away for a moment, or one that slows us down. */
const PAUSES_MS = [0, 5_000, 20_000, 60_000];

/** Null: there is none. */
export async function unstoredState(folder: string): Promise<string | null> {
  const file = join(folder, ERRORED_STATE);
  return access(file).then(
    () => file,
    () => null,
  );
}

/** Sentences for people; none: every state is stored. */
export async function storeState(
  terraform: Terraform,
  folder: string,
  pausesMs: readonly number[] = PAUSES_MS,
): Promise<string[]> {
  const file = await unstoredState(folder);
  if (file === null) return [];
  await chmod(file, 0o600);
  let why = "";
  for (const pauseMs of pausesMs) {
    await systemClock.sleep(pauseMs);
    try {
      await terraform.pushState(folder, ERRORED_STATE);
      await rm(file, { force: true });
      return ["terraform could not store its state; it is stored now"];
    } catch (error) {
      why = terraformComplaint(errorMessage(error))[0] ?? "";
    }
  }
  return [`THE STATE IS NOT STORED (${why})`, wayBack(file, folder)];
}

export function wayBack(file: string, folder: string): string {
  return [
    `${file} is the only record of what was made, and holds secrets: keep it on this machine, never upload it`,
    `as soon as the store answers: terraform -chdir=${folder} state push ${ERRORED_STATE}, remove the file, and plan again`,
    "where it is lost, what the log above calls created is to be adopted (docs/deploying.md)",
  ].join("; ");
}
