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

/** As long as STS gives a role that was assumed by a role. */
const SESSION_S = 3_600;

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

/**
 * The session of a run for as long as the run takes: a role that was assumed by a role ends after an hour at most ("role
 * chaining", IAM user guide), and an undo may come later.
 */
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
