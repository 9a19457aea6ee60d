/** Names of things in AWS, all derived from two names of the policy: the system and its cluster. */
import type { PolicySet } from "../src/policy/policy.js";

export const SERVICES = ["api", "orchestrator", "workers"] as const;
export type ServiceName = (typeof SERVICES)[number];

/** `algobrain-api`: image repository, task family (HB-aws-06, HB-cli-07). */
export function imageName(policy: PolicySet, service: ServiceName): string {
  return `${policy.system}-${service}`;
}

/** `/ecs/algobrain-api` (HB-aws-18). */
export function logGroupName(policy: PolicySet, service: ServiceName): string {
  return `/ecs/${imageName(policy, service)}`;
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

/** The bucket of the Terraform state; made once by hand, before anything else can be. */
export function stateBucketName(policy: PolicySet): string {
  return `${policy.infrastructure.cluster}-terraform-state`;
}
