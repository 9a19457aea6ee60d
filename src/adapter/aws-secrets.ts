/** Secrets Manager: versions and their stages. A value is revealed in the line that sends it, and nowhere else. */
import { createHash } from "node:crypto";
import { Fault, fault } from "../base/fault.js";
import { SecretText } from "../base/secret-text.js";
import type { AwsReader, AwsWriter, SecretView } from "../runbook/aws-port.js";
import { type AwsAbout, type AwsGround, pages, send } from "./aws-clients.js";
import { missingIn } from "./aws-names.js";

type SecretsWriter = Pick<AwsWriter, "putSecret" | "promoteSecret" | "createSecret" | "readSecret">;
type Asked<Verb extends keyof SecretsWriter> = Parameters<SecretsWriter[Verb]>[0];

export function createSecrets(ground: AwsGround): Pick<AwsReader, "secret"> & SecretsWriter {
  return {
    secret: (name) => readVersions(ground, name),
    putSecret: (request) => putSecret(ground, request),
    promoteSecret: (request) => promote(ground, request),
    createSecret: (request) => createSecret(ground, request),
    readSecret: (request) => readValue(ground, request),
  };
}

/** Of a call that carries a value: neither what it says nor what is said of it is kept. */
const hidden = (target: string): AwsAbout => ({ target, isSecret: true });

async function readVersions(ground: AwsGround, name: string): Promise<SecretView | null> {
  const { ListSecretVersionIdsCommand } = await import("@aws-sdk/client-secrets-manager");
  const SecretId = idOf(ground, name);
  let arn = "";
  try {
    const versions = await pages(
      (NextToken) =>
        send(
          ground,
          "secretsmanager",
          new ListSecretVersionIdsCommand({ SecretId, ...(NextToken && { NextToken }) }),
          { target: SecretId },
        ),
      ({ ARN, Versions, NextToken }) => {
        arn = ARN ?? arn;
        return { items: Versions, next: NextToken };
      },
    );
    return {
      arn,
      versions: versions.map(({ VersionId = "", VersionStages = [], CreatedDate = null }) => ({
        ...{ id: VersionId, stages: VersionStages, createdAt: CreatedDate },
      })),
    };
  } catch (error) {
    if (error instanceof Fault && error.code === "AWS_NOT_FOUND") return null;
    throw error;
  }
}

/** A bare name is one of ours; a path and an ARN are whole already. */
function idOf({ place }: AwsGround, name: string): string {
  return /[/:]/.test(name) ? name : place().secretOf(name);
}

async function putSecret(ground: AwsGround, { name, value, stage }: Asked<"putSecret">) {
  const { PutSecretValueCommand } = await import("@aws-sdk/client-secrets-manager");
  const SecretId = idOf(ground, name);
  const command = new PutSecretValueCommand({
    ...{ SecretId, VersionStages: [stage], ClientRequestToken: tokenOf(SecretId, value) },
    SecretString: value.reveal(),
  });
  const answer = await send(ground, "secretsmanager", command, hidden(SecretId));
  const { VersionId: version, VersionStages } = answer;
  if (version === undefined) throw fault.transient("AWS_ANSWER_INVALID", "it gave no version");
  // A value that was there before is not put again, and its stage is left where it was.
  if (!VersionStages?.includes(stage)) await moveTo(ground, SecretId, stage, version);
  return { version };
}

/**
 * Becomes the version's id (32 to 64 characters). Of the same value it is the same, so a repeated call whose answer was
 * lost makes no second version; a hash of what has at least 128 random bits tells nothing of it.
 */
function tokenOf(secretId: string, value: SecretText): string {
  return createHash("sha256").update(`${secretId}\n${value.reveal()}`).digest("hex");
}

async function promote(ground: AwsGround, { name, version }: Asked<"promoteSecret">) {
  const SecretId = idOf(ground, name);
  const previous = await moveTo(ground, SecretId, "AWSCURRENT", version);
  // Or the next rotation would take it for one that was cut short.
  const pending = await holderOf(ground, SecretId, "AWSPENDING");
  if (pending === version) await moveStage(ground, SecretId, "AWSPENDING", version, null);
  return { previous: previous === version ? null : previous };
}

/** Answers who had the stage before. */
async function moveTo(
  ground: AwsGround,
  SecretId: string,
  stage: string,
  version: string,
): Promise<string | null> {
  const before = await holderOf(ground, SecretId, stage);
  if (before !== version) await moveStage(ground, SecretId, stage, before, version);
  return before;
}

async function holderOf(ground: AwsGround, SecretId: string, stage: string) {
  const secret = await readVersions(ground, SecretId);
  if (secret === null) throw missingIn(`secret ${SecretId}`, []);
  return secret.versions.find(({ stages }) => stages.includes(stage))?.id ?? null;
}

async function moveStage(
  ground: AwsGround,
  SecretId: string,
  VersionStage: string,
  from: string | null,
  to: string | null,
): Promise<void> {
  const { UpdateSecretVersionStageCommand } = await import("@aws-sdk/client-secrets-manager");
  const command = new UpdateSecretVersionStageCommand({
    ...{ SecretId, VersionStage },
    ...(to === null ? {} : { MoveToVersionId: to }),
    ...(from === null ? {} : { RemoveFromVersionId: from }),
  });
  await send(ground, "secretsmanager", command, { target: `${SecretId} ${VersionStage}` });
}

async function createSecret(
  ground: AwsGround,
  { name, value }: Asked<"createSecret">,
): Promise<"created" | "exists"> {
  const { CreateSecretCommand } = await import("@aws-sdk/client-secrets-manager");
  const Name = idOf(ground, name);
  const command = new CreateSecretCommand({ Name, SecretString: value.reveal() });
  try {
    await send(ground, "secretsmanager", command, hidden(Name));
    return "created";
  } catch (error) {
    if (error instanceof Fault && error.details.name === "ResourceExistsException") return "exists";
    throw error;
  }
}

async function readValue(ground: AwsGround, { name, stage = "AWSCURRENT" }: Asked<"readSecret">) {
  const { GetSecretValueCommand } = await import("@aws-sdk/client-secrets-manager");
  const SecretId = idOf(ground, name);
  const command = new GetSecretValueCommand({ SecretId, VersionStage: stage });
  const { SecretString } = await send(ground, "secretsmanager", command, hidden(SecretId));
  if (SecretString === undefined)
    throw fault.data("AWS_ANSWER_INVALID", `${SecretId}: found no text, expected one`);
  return new SecretText(SecretString);
}
