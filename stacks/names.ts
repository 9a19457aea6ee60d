/** Names of things in AWS, all derived from what the policy names: the system, its environment, its cluster. */
import type { PolicySet } from "../src/policy/policy.js";
import type { ServiceName } from "../src/policy/services.js";

/**
 * `algobrain-api` in production, as the handbook has it, and `algobrain-staging-api` elsewhere: two
 * environments may share an account, and two things of one name would take each other's place.
 */
export function qualified(policy: PolicySet, name: string): string {
  const { system, environment } = policy;
  return environment === "production" ? `${system}-${name}` : `${system}-${environment}-${name}`;
}

/** Task family and prefix of the log streams (HB-aws-05, HB-cli-07). */
export function imageName(policy: PolicySet, service: ServiceName): string {
  return qualified(policy, service);
}

/** One set an account: staging and production run the same image by the same digest (HB-aws-06, X-20). */
export function repositoryName(policy: PolicySet, service: ServiceName): string {
  return `${policy.system}-${service}`;
}

/** `/ecs/algobrain-api` (HB-aws-18). */
export function logGroupName(policy: PolicySet, service: ServiceName): string {
  return `/ecs/${qualified(policy, service)}`;
}

/** Of the tasks that work on the database before the services do. */
export function databaseLogGroupName(policy: PolicySet): string {
  return `/ecs/${qualified(policy, "migrate")}`;
}

/** Of the sessions that people open in tasks (HB-aws-22). */
export function shellLogGroupName(policy: PolicySet): string {
  return `/ecs/${qualified(policy, "remote-shell")}`;
}

/** `algobrain-api-task`: what its processes work as; `execution`: what starts them. */
export function roleName(
  policy: PolicySet,
  service: ServiceName,
  use: "execution" | "task",
): string {
  return qualified(policy, `${service}-${use}`);
}

/** Cluster `algobrain-prod` keeps its secrets under `algobrain/prod/` (HB-aws-19). */
export function secretPath(policy: PolicySet, name: string): string {
  const { system, infrastructure } = policy;
  const place = infrastructure.cluster.startsWith(`${system}-`)
    ? infrastructure.cluster.slice(system.length + 1)
    : infrastructure.cluster;
  return `${system}/${place}/${name}`;
}

/** `algobrain-production-services`: both environments may lie in one output folder. */
export function stackName(policy: PolicySet, part: string): string {
  return `${policy.system}-${policy.environment}-${part}`;
}

/** The bucket of the Terraform state; made once by `bootstrap`, before anything else can be. */
export function stateBucketName(policy: PolicySet): string {
  return `${policy.infrastructure.cluster}-terraform-state`;
}

/** Of every bucket that the stacks make; that of the state is not among them. */
export function bucketArns({ infrastructure }: PolicySet): string[] {
  const { cluster, exportsBucket, bundleBucket, frontend } = infrastructure;
  return [`${cluster}-access-logs`, exportsBucket, bundleBucket, frontend.bucket].map(
    (name) => `arn:aws:s3:::${name}`,
  );
}

/**
 * Beginnings of the names of all that an environment has, with a star: `algobrain-*` in production, where the
 * handbook's names are bare and so cover staging's too; `algobrain-staging*` there.
 */
export function ownNames(policy: PolicySet): string[] {
  const { cluster } = policy.infrastructure;
  const begin = qualified(policy, "");
  if (begin.startsWith(cluster)) return [`${cluster}*`];
  return cluster.startsWith(begin) ? [`${begin}*`] : [`${begin}*`, `${cluster}*`];
}

/** Stands where no account is known: environment `local` is synthesized and never applied. */
const NO_ACCOUNT = "000000000000";

export function accountOf({ infrastructure }: PolicySet): string {
  return infrastructure.account ?? NO_ACCOUNT;
}

/** `arn:aws:ecs:us-east-1:123456789012:cluster/algobrain-prod`. */
export function arnOf(policy: PolicySet, service: string, resource: string): string {
  return `arn:aws:${service}:${policy.infrastructure.region}:${accountOf(policy)}:${resource}`;
}

/** IAM belongs to no region: `arn:aws:iam::123456789012:role/algobrain-plan`. */
export function iamArn(policy: PolicySet, resource: string): string {
  return `arn:aws:iam::${accountOf(policy)}:${resource}`;
}
