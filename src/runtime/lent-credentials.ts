/**
 * What a worker process may use of the credentials of its supervisor: short-lived and narrow ones, told over the channel
 * between them and kept in memory alone (docs/decisions/0057-lent-credentials.md).
 */
import { isJsonObject, type JsonObject } from "../base/json.js";
import { SecretText } from "../base/secret-text.js";

export interface LentGitHub {
  readonly token: SecretText;
  /** Names the credential among all that share its limit, without its secret. */
  readonly scope: string;
  /** Null: a person's token, which we do not see the end of. */
  readonly expiresAt: Date | null;
}

export interface LentS3 {
  readonly accessKeyId: string;
  readonly secretAccessKey: SecretText;
  readonly sessionToken: SecretText | null;
  readonly expiresAt: Date | null;
}

/** Null: not configured. Undefined: it could not be had just now. */
export interface LentCredentials {
  readonly github?: LentGitHub | null;
  readonly s3?: LentS3 | null;
}

/** As it goes over the channel: here alone the secrets are plain text. */
export interface CredentialsLent {
  readonly kind: "credentials.lent";
  readonly github?: JsonObject | null;
  readonly s3?: JsonObject | null;
}

export interface CredentialsAsked {
  readonly kind: "credentials.asked";
}

export function isCredentialsAsked(message: unknown): message is CredentialsAsked {
  return isJsonObject(message) && message.kind === "credentials.asked";
}

export function toMessage({ github, s3 }: LentCredentials): CredentialsLent {
  return {
    kind: "credentials.lent",
    ...(github === undefined ? {} : { github: github && githubMessage(github) }),
    ...(s3 === undefined ? {} : { s3: s3 && s3Message(s3) }),
  };
}

function githubMessage({ token, scope, expiresAt }: LentGitHub): JsonObject {
  return { token: token.reveal(), scope, expiresAt: expiresAt?.toISOString() ?? null };
}

function s3Message({ accessKeyId, secretAccessKey, sessionToken, expiresAt }: LentS3): JsonObject {
  return {
    accessKeyId,
    secretAccessKey: secretAccessKey.reveal(),
    sessionToken: sessionToken?.reveal() ?? null,
    expiresAt: expiresAt?.toISOString() ?? null,
  };
}

/** Null: another message. What is not whole is as if it could not be had. */
export function readMessage(message: unknown): LentCredentials | null {
  if (!isJsonObject(message) || message.kind !== "credentials.lent") return null;
  const github = message.github === null ? null : readGitHub(message.github);
  const s3 = message.s3 === null ? null : readS3(message.s3);
  return { ...(github === undefined ? {} : { github }), ...(s3 === undefined ? {} : { s3 }) };
}

function readGitHub(value: unknown): LentGitHub | undefined {
  if (!isJsonObject(value)) return undefined;
  const { token, scope } = value;
  const expiresAt = endOf(value.expiresAt);
  if (typeof token !== "string" || typeof scope !== "string" || expiresAt === undefined)
    return undefined;
  return { token: new SecretText(token), scope, expiresAt };
}

function readS3(value: unknown): LentS3 | undefined {
  if (!isJsonObject(value)) return undefined;
  const { accessKeyId, secretAccessKey, sessionToken } = value;
  const expiresAt = endOf(value.expiresAt);
  if (typeof accessKeyId !== "string" || typeof secretAccessKey !== "string") return undefined;
  if (expiresAt === undefined) return undefined;
  return {
    accessKeyId,
    secretAccessKey: new SecretText(secretAccessKey),
    sessionToken: typeof sessionToken === "string" ? new SecretText(sessionToken) : null,
    expiresAt,
  };
}

function endOf(value: unknown): Date | null | undefined {
  if (value === null) return null;
  const at = new Date(typeof value === "string" ? value : Number.NaN);
  return Number.isNaN(at.getTime()) ? undefined : at;
}
