/** Credentials for the time of one run: of the executor's role, with no more than the run's own policy (STS AssumeRole). */
import { fault } from "../base/fault.js";
import type { AwsCredentials, AwsGround } from "./aws-clients.js";
import { send } from "./aws-clients.js";

export interface SessionRequest {
  readonly roleArn: string;
  /** Shown in CloudTrail: `run-17`. */
  readonly name: string;
  /** The inline session policy, as JSON: what it does not allow is refused, whatever the role may. */
  readonly policy: string;
}

/**
 * STS gives none that ends sooner ("AssumeRole", parameter DurationSeconds: 900 to 43,200). It knows no way to end one
 * before, so whoever took the credentials from the memory of an executor has them for so long at most.
 */
const SESSION_S = 900;

/** Throws a Fault as `callAws` does. */
export async function assumeRole(
  ground: AwsGround,
  { roleArn, name, policy }: SessionRequest,
): Promise<AwsCredentials> {
  const { AssumeRoleCommand } = await import("@aws-sdk/client-sts");
  const command = new AssumeRoleCommand({
    ...{ RoleArn: roleArn, RoleSessionName: name, DurationSeconds: SESSION_S },
    Policy: policy,
  });
  // What comes back is secret.
  const { Credentials } = await send(ground, "sts", command, { target: roleArn, isSecret: true });
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration)
    throw fault.transient("AWS_ANSWER_INVALID", `it gave no credentials of ${roleArn}`);
  return {
    ...{ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken },
    expiration: Expiration,
  };
}

/** Renewed so long before its end. */
const RENEW_MS = 300_000;

/** The session of a run for as long as the run takes: renewed while something asks for it, and not after. */
export function sessionOf(
  ground: AwsGround,
  request: SessionRequest,
): () => Promise<AwsCredentials> {
  let held: AwsCredentials | null = null;
  let asking: Promise<AwsCredentials> | null = null;
  const renew = async () => {
    try {
      held = await assumeRole(ground, request);
      return held;
    } finally {
      asking = null;
    }
  };
  return async () => {
    const endsAt = held?.expiration?.getTime() ?? 0;
    if (held !== null && endsAt - ground.clock.now().getTime() > RENEW_MS) return held;
    asking ??= renew();
    return asking;
  };
}
