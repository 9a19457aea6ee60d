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

/** The least that STS gives is 15 minutes, and no run takes longer than its hour. */
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
  const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken)
    throw fault.transient("AWS_ANSWER_INVALID", `it gave no credentials of ${roleArn}`);
  return {
    ...{ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken },
  };
}
