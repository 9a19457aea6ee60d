/** What is seen of a deployment from outside of it: the alarms of CloudWatch, and what the API answers. */
import { formatAge } from "../../base/duration.js";
import type { AwsReader } from "../aws-port.js";
import type { SystemReader } from "../port.js";
import type { DeploymentLook } from "./deployment-look.js";

/** Part of every context of a runbook. */
export interface LookingFromOutside {
  readonly aws: Pick<AwsReader, "place" | "alarms">;
  readonly system: Pick<SystemReader, "criticalPaths">;
  readonly signal: AbortSignal;
  now(): Date;
}

/** In this order, so that the first that is not well is the one to look at. */
export async function lookFromOutside(
  context: LookingFromOutside,
): Promise<readonly DeploymentLook[]> {
  const [paths, alarms] = await Promise.all([lookAtPaths(context), lookAtAlarms(context)]);
  return [...paths, alarms];
}

/** BQ-op-26: all 200. */
async function lookAtPaths({
  system,
  signal,
}: LookingFromOutside): Promise<readonly DeploymentLook[]> {
  const looks = await system.criticalPaths(signal);
  return looks.map(({ path, state, found }) => ({ what: `GET ${path}`, state, found }));
}

const NAMED_MAX = 5;

/** Those that the policy makes there. One that has too few points says nothing, and is told. */
async function lookAtAlarms({ aws, now }: LookingFromOutside): Promise<DeploymentLook> {
  const what = "alarms";
  const { alarms: wanted } = aws.place();
  if (wanted.length === 0)
    return { what, state: "passed", found: "the policy makes none in CloudWatch" };
  const alarms = await aws.alarms(wanted);
  const known = new Set(alarms.map(({ name }) => name));
  const missing = wanted.filter((name) => !known.has(name));
  if (missing.length > 0) {
    const found = `${missing.length} of ${wanted.length} are not there, such as ${missing[0]}: apply the infrastructure`;
    return { what, state: "failed", found };
  }
  const ringing = alarms.filter(({ state }) => state === "ALARM");
  const unknown = alarms.filter(({ state }) => state === "INSUFFICIENT_DATA").length;
  const rest = unknown === 0 ? "" : `, ${unknown} have too few points to say`;
  if (ringing.length === 0)
    return { what, state: "passed", found: `none of ${wanted.length} rings${rest}` };
  const named = ringing
    .slice(0, NAMED_MAX)
    .map(({ name, since }) => `${name}${since === null ? "" : ` since ${ageOf(since, now())}`}`);
  // It may stop by itself while the look is made again.
  return {
    ...{ what, state: "waiting" },
    found: `${ringing.length} of ${wanted.length} ring: ${named.join(", ")}${rest}`,
  };
}

function ageOf(since: Date, now: Date): string {
  return formatAge(Math.max(now.getTime() - since.getTime(), 0));
}
