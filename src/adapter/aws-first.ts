/**
 * What is done before an environment has services: a task is run in the network that its own tags name, and secrets get
 * their first values.
 */
import { createHash, randomUUID } from "node:crypto";
import { Fault, fault } from "../base/fault.js";
import type { SecretText } from "../base/secret-text.js";
import { type AwsGround, send } from "./aws-clients.js";
import { readTagged } from "./aws-ecs.js";
import { createSecrets } from "./aws-secrets.js";

const CURRENT = "AWSCURRENT";
/**
 * A version with a stage of its own becomes the current one only when it is the secret's first ("If this operation creates
 * the first version for the secret, then Secrets Manager automatically attaches the staging label AWSCURRENT to it",
 * Secrets Manager API reference, PutSecretValue): so it cannot take the place of another.
 */
const FIRST = "ALGOBRAINFIRST";

/** By name (`jwt-secret`) or by path. Needs ListSecretVersionIds, PutSecretValue, and to read, GetSecretValue. */
export interface FirstSecrets {
  /** Throws a refused Fault `AWS_NOT_FOUND` where there is no such secret. */
  hasValue(name: string): Promise<boolean>;
  /** False: another value was there first, and stays. */
  putFirst(name: string, value: SecretText): Promise<boolean>;
  read(name: string): Promise<SecretText>;
}

export function createFirstSecrets(ground: AwsGround): FirstSecrets {
  const { secret, readSecret } = createSecrets(ground);
  const currentOf = async (name: string): Promise<string | null> => {
    const view = await secret(name);
    if (view === null)
      throw fault.refused("AWS_NOT_FOUND", `there is no secret ${name}`, {
        hint: "apply the cluster stack: it makes it, without a value",
      });
    return view.versions.find(({ stages }) => stages.includes(CURRENT))?.id ?? null;
  };
  return {
    hasValue: async (name) => (await currentOf(name)) !== null,
    putFirst: async (name, value) => {
      const path = name.includes("/") ? name : ground.place().secretOf(name);
      const version = versionOf(path);
      return (await put(ground, { path, version, value })) && (await currentOf(name)) === version;
    },
    read: (name) => readSecret({ name }),
  };
}

/** One for ever: of two who put at once, one is refused. It tells nothing of the value. */
function versionOf(path: string): string {
  return createHash("sha256").update(`the first value of ${path}`).digest("hex");
}

/** False: this version has another value already. */
async function put(
  ground: AwsGround,
  { path, version, value }: { path: string; version: string; value: SecretText },
): Promise<boolean> {
  const { PutSecretValueCommand } = await import("@aws-sdk/client-secrets-manager");
  const command = new PutSecretValueCommand({
    ...{ SecretId: path, ClientRequestToken: version, VersionStages: [FIRST] },
    SecretString: value.reveal(),
  });
  try {
    await send(ground, "secretsmanager", command, { target: path, isSecret: true });
    return true;
  } catch (error) {
    if (error instanceof Fault && error.details.name === "ResourceExistsException") return false;
    throw error;
  }
}

/**
 * Runs the newest revision of a family once, where its tags `subnets` and `groups` (ids with blanks) say. Answers the id
 * of the task. Throws a transient Fault `AWS_TASK_NOT_STARTED`, and a data Fault for a family without those tags.
 */
export async function runWhereTagged(ground: AwsGround, family: string): Promise<string> {
  const { RunTaskCommand } = await import("@aws-sdk/client-ecs");
  const { cluster } = ground.place();
  const { definition, tags } = await readTagged(ground, family);
  const idsOf = (name: string) => {
    const ids =
      tags
        .find(({ key }) => key === name)
        ?.value?.split(" ")
        .filter(Boolean) ?? [];
    if (ids.length > 0) return ids;
    throw fault.data("AWS_ANSWER_INVALID", `${family}: found no tag ${name}, expected ids in it`);
  };
  const command = new RunTaskCommand({
    ...{ cluster, taskDefinition: definition.taskDefinitionArn, count: 1, launchType: "FARGATE" },
    networkConfiguration: {
      awsvpcConfiguration: {
        ...{ subnets: idsOf("subnets"), securityGroups: idsOf("groups") },
        assignPublicIp: "DISABLED",
      },
    },
    // Two tasks at once wait for each other; one that failed before must not be taken for this one.
    clientToken: randomUUID(),
  });
  const answer = await send(ground, "ecs", command, { target: `${cluster}/${family}` });
  const arn = answer.tasks?.[0]?.taskArn;
  if (arn !== undefined) return arn.split("/").at(-1) ?? arn;
  const why = answer.failures?.map(({ reason }) => reason).join(", ") || "it gave no reason";
  throw fault.transient("AWS_TASK_NOT_STARTED", `ECS started no task of ${family}: ${why}`);
}
