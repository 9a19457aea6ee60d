/**
 * What a runbook may touch, declared beside its steps. The platform enforces it: a database role with these
 * rights for the time of the run, and a session policy of these actions.
 */
import { fault } from "../base/fault.js";

export const CAPABILITIES = [
  "jobs:read",
  "jobs:submit",
  "jobs:retry",
  "jobs:cancel",
  "jobs:correct",
  "jobs:prioritize",
  "queues:pause",
  "sessions:read",
  "sessions:end",
  "tables:read",
  "workload:read",
  "retention:read",
  "database:dump",
  "database:restore",
  "database:users",
  "safe-mode:exit",
  "breakers:reset",
  "incidents:write",
  "system:temporary",
] as const;
export type Capability = (typeof CAPABILITIES)[number];

/**
 * One statement of a session policy (STS). Resources are ARNs of one's own account, written with the places that the
 * policy fills: `{account}`, `{region}`, `{cluster}`, `{system}`, `{environment}`, `{secrets}`. `*` alone is refused but for actions
 * that know no resource.
 */
export interface AwsPermission {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

export interface Touches {
  readonly database: readonly Capability[];
  /** Programs that its steps may run through the shell, besides those that only read. */
  readonly programs?: readonly string[];
  readonly aws?: readonly AwsPermission[];
}

export const TOUCHES_NOTHING: Touches = { database: [] };

/** What an executor works with for one run: opened before the first step, closed after the last. */
export interface RunPower {
  /** `algobrain_<database>_run_…`; null: this server gives us no roles, and the environment is local. */
  readonly role: string | null;
  readonly enforced: boolean;
}

export interface SessionPolicy {
  readonly Version: "2012-10-17";
  readonly Statement: readonly {
    readonly Effect: "Allow";
    readonly Action: readonly string[];
    readonly Resource: readonly string[];
  }[];
}

/** Of an inline session policy (AWS STS, AssumeRole, parameter Policy). */
const POLICY_CHARACTERS_MAX = 2_048;
/** `ecs:UpdateService`, also `ecs:Describe*`; never all of a service, and never all services. */
const ACTION = /^[a-z0-9-]+:[A-Z][A-Za-z]*\*?$/;
/** One account, named: what comes after it may end in `*`. S3 names have neither region nor account. */
const ARN = /^arn:aws[a-z-]*:(s3:::[^*]+|[a-z0-9-]+:[a-z0-9-]*:\d{12}:[^*]+)\*?$/;

/**
 * Actions for which AWS knows no resource, so that only `*` allows them (Service Authorization Reference). They look, but
 * for one: what a revision may do stays bounded by the roles that may be passed to it.
 */
const WITHOUT_RESOURCE = new Set([
  "application-autoscaling:DescribeScalableTargets",
  "application-autoscaling:DescribeScalingPolicies",
  "cloudfront:ListDistributions",
  "cloudwatch:GetMetricData",
  "ec2:DescribeSecurityGroups",
  "ecr:GetAuthorizationToken",
  "ecs:DescribeTaskDefinition",
  "ecs:ListTaskDefinitions",
  "ecs:RegisterTaskDefinition",
  "logs:DescribeLogGroups",
  "logs:GetQueryResults",
  "logs:StopQuery",
  "sts:GetCallerIdentity",
]);

/**
 * What the run's session may do in AWS: of the executor's own rights only what the runbook declares, since a session
 * policy can but take away. Null: nothing is declared, so no session is opened. Throws a Fault
 * `SESSION_POLICY_INVALID` for what would allow more than a reviewer can see.
 */
export function sessionPolicy({ aws = [] }: Touches): SessionPolicy | null {
  if (aws.length === 0) return null;
  for (const { actions, resources } of aws) {
    checkEach("action", actions, ACTION, "service:Action of one service, no bare `*`");
    if (resources.join() === "*" && actions.every((action) => WITHOUT_RESOURCE.has(action)))
      continue;
    checkEach("resource", resources, ARN, "an ARN of one account, with `*` at its end at most");
  }
  const policy: SessionPolicy = {
    Version: "2012-10-17",
    Statement: aws.map(({ actions, resources }) => ({
      Effect: "Allow",
      Action: actions,
      Resource: resources,
    })),
  };
  const { length } = JSON.stringify(policy);
  if (length > POLICY_CHARACTERS_MAX)
    throw refuse(`it takes ${length} characters`, `at most ${POLICY_CHARACTERS_MAX}`);
  return policy;
}

function checkEach(
  what: string,
  texts: readonly string[],
  pattern: RegExp,
  expected: string,
): void {
  if (texts.length === 0) throw refuse(`a statement names no ${what}`, `at least one ${what}`);
  const wrong = texts.find((text) => !pattern.test(text));
  if (wrong !== undefined) throw refuse(`found the ${what} "${wrong}"`, expected);
}

function refuse(found: string, expected: string) {
  return fault.data("SESSION_POLICY_INVALID", `touches.aws: ${found}, expected ${expected}`);
}
