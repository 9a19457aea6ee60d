/** `infra running-tag`: the commit whose images an environment runs, for the plan that must not change them. */
import { appendFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Fault } from "../../base/fault.js";
import { openAwsReader } from "../../main/aws.js";
import type { PolicySet } from "../../policy/policy.js";
import { IMAGE_VARIABLE, type RunningImage, tagToPlan } from "../../review/infra/running-tag.js";
import { parseCommandLine } from "../arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "../command.js";
import { openConfig } from "../settings.js";
import { POLICY_OPTIONS, policyOf } from "./policy-of.js";

const DEADLINE_MS = 60_000;

const NO_CLUSTER = "ClusterNotFoundException";

const OPTIONS = {
  ...POLICY_OPTIONS,
  else: { type: "string" },
  "github-env": { type: "string" },
} as const;

export async function runRunningTag(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseCommandLine(args, OPTIONS);
  const policy = await policyOf(values, io);
  if (policy === null) return EXIT_FAILED;
  const found = tagToPlan(await lookAtServices(policy, io), values.else ?? null);
  if ("refusal" in found) {
    io.err(found.refusal);
    return EXIT_FAILED;
  }
  const file = values["github-env"];
  if (file !== undefined)
    await appendFile(resolve(io.cwd, file), `${IMAGE_VARIABLE}=${found.tag}\n`);
  io.out(found.tag);
  return EXIT_OK;
}

/** Empty before the first apply: then there is no cluster to ask. */
async function lookAtServices(policy: PolicySet, io: CommandIo): Promise<readonly RunningImage[]> {
  const config = await openConfig(io);
  const { aws, close } = await openAwsReader(policy, config, AbortSignal.timeout(DEADLINE_MS));
  try {
    return await aws.services();
  } catch (error) {
    // Nothing but this: a task that cannot be found is no empty cluster, and its image would be changed.
    if (error instanceof Fault && error.details.name === NO_CLUSTER) return [];
    throw error;
  } finally {
    await close();
  }
}
