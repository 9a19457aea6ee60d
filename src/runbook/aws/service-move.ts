/** A service of ECS onto another image and back: only its task definition moves, never the number of its tasks. */
import { MINUTE_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { AwsReader, AwsWriter } from "../aws-port.js";
import { patiently } from "./patient.js";
import { servicePlaceOf } from "./service-place.js";
import { shortName, type Waiting, waitStable } from "./wait.js";

export interface Moving extends Waiting {
  readonly aws: Waiting["aws"] &
    Pick<AwsReader, "place" | "revisions"> &
    Pick<AwsWriter, "registerRevision" | "updateService">;
}

/** What a service ran before a run moved it; kept in the facts of the plan. */
export interface ServiceBefore {
  /** ARN. */
  readonly taskDefinition: string;
  readonly revision: number;
  readonly imageTag: string | null;
}

/** All undoing of a run has ten minutes: three services must find room in them. */
const BACK_WITHIN_MS = 2 * MINUTE_MS;

/** The newest revision of the service's family, when it has this image; null: it has another one. */
export async function revisionWithImage(
  { aws }: { readonly aws: Pick<AwsReader, "place" | "revisions"> },
  service: string,
  tag: string,
): Promise<string | null> {
  const [newest] = await aws.revisions(servicePlaceOf(aws.place(), service).family, 1);
  return newest?.imageTag === tag ? newest.arn : null;
}

/**
 * The ARN of a copy of the newest revision with the image of this commit, and nothing else changed: numbers
 * are what was applied last. Where the newest has that image already, it is the one.
 */
export async function registerImage(context: Moving, name: string, tag: string): Promise<string> {
  const { family } = servicePlaceOf(context.aws.place(), name);
  return patiently(context, () => registerOnce(context, { family, service: name }, tag));
}

/** The same of the task that changes the schema: it runs the image of the workers, as another database user (HB-aws-24). */
export async function registerMigration(context: Moving, tag: string): Promise<string> {
  const family = context.aws.place().migrationFamily;
  return patiently(context, () => registerOnce(context, { family, service: "workers" }, tag));
}

async function registerOnce(
  { aws }: Moving,
  { family, service }: { readonly family: string; readonly service: string },
  tag: string,
): Promise<string> {
  const [newest] = await aws.revisions(family, 1);
  if (newest?.imageTag === tag) return newest.arn;
  const { repository } = servicePlaceOf(aws.place(), service);
  if (!newest)
    throw fault.refused("TASK_DEFINITION_MISSING", `${family} has no revision to copy`, {
      hint: "apply the services stack first: it makes the first one",
    });
  const { image } = await aws.service(service);
  const made = await aws.registerRevision({
    from: newest.arn,
    image: `${registryOf(image)}/${repository}:${tag}`,
  });
  return made.arn;
}

/** Where it runs this one already nothing is asked, so that no deployment begins. */
export async function setRevision(
  context: Moving,
  service: string,
  taskDefinition: string,
): Promise<void> {
  await patiently(context, async () => {
    if ((await context.aws.service(service)).taskDefinition === taskDefinition) return;
    await context.aws.updateService({ service, taskDefinition });
  });
}

/** Answers with a sentence. Throws a refused Fault `SERVICE_NOT_BACK` when it came to rest elsewhere, or not at all. */
export async function moveBack(
  context: Moving,
  name: string,
  before: ServiceBefore,
): Promise<string> {
  const { taskDefinition } = before;
  await setRevision(context, name, taskDefinition);
  const { state, text } = await waitStable(context, name, {
    ...{ withinMs: BACK_WITHIN_MS, taskDefinition },
  });
  if (state === "stable") return `${name} is back: ${text}`;
  if (state === "late")
    return `${name} is on its way back to ${shortName(taskDefinition)}: ${text}`;
  throw fault.refused("SERVICE_NOT_BACK", text);
}

/** `123456789012.dkr.ecr.us-east-1.amazonaws.com/algobrain-api:…` → its host. */
function registryOf(image: string): string {
  return image.slice(0, image.indexOf("/"));
}
