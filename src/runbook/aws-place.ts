/** Where everything of one environment is in AWS, by its policy: the names that the stacks give (a test holds both together). */
import { fault } from "../base/fault.js";
import type { PolicySet } from "../policy/policy.js";
import { readersOfSecret } from "../policy/secret-uses.js";
import { SERVICES, type ServiceName } from "../policy/services.js";
import type { AwsPlace, ServicePlace } from "./aws-port.js";

/** With what only the adapter needs to know. */
export interface AwsEstate extends AwsPlace {
  /** Of our metrics. */
  readonly namespace: string;
  readonly heartbeatsTable: string;
  /** Of the task that makes the database and the secrets ready, before there are services. */
  readonly preparationFamily: string;
  /** Of that task and of the one that migrates. */
  readonly databaseLogGroup: string;
}

export interface AwsEstateOptions {
  /** Saved queries of Logs Insights by name. */
  readonly queries: Readonly<Record<string, string>>;
  /** Of the alarms in CloudWatch; absent: nobody asks for them. */
  readonly alarms?: readonly string[];
  /** Terraform's output of the delivery stack; null: none is known. */
  readonly distributionId: string | null;
}

/** Throws a refused Fault `AWS_NOT_CONFIGURED` where the policy names no account. */
export function awsEstate(policy: PolicySet, options: AwsEstateOptions): AwsEstate {
  const { infrastructure, environment, system } = policy;
  const { account, region, cluster, namespace, heartbeatsTable } = infrastructure;
  if (account === null)
    throw fault.refused("AWS_NOT_CONFIGURED", `the policy of ${environment} names no account`, {
      hint: "write infrastructure.account into the policy of this environment",
    });
  const place = cluster.startsWith(`${system}-`) ? cluster.slice(system.length + 1) : cluster;
  return {
    ...{ account, region, environment, system, cluster, namespace, heartbeatsTable },
    services: Object.fromEntries(SERVICES.map((name) => [name, servicePlace(policy, name)])),
    migrationFamily: qualified(policy, "migrate"),
    preparationFamily: qualified(policy, "prepare"),
    databaseLogGroup: `/ecs/${qualified(policy, "migrate")}`,
    logGroupDays: policy.retention.logsDays,
    ...{ databaseCluster: cluster, cacheGroup: cluster },
    ...{ alarms: [], ...options },
    secretOf: (name) => `${system}/${place}/${name}`,
    readersOf: readersOfSecret,
    bucketOf: (use) => bucketOf(policy, use),
  };
}

/** As stacks/names.ts has it: two environments may share an account, and only production's names are bare. */
function qualified({ system, environment }: PolicySet, name: string): string {
  return environment === "production" ? `${system}-${name}` : `${system}-${environment}-${name}`;
}

function servicePlace(policy: PolicySet, name: ServiceName): ServicePlace {
  const { system } = policy;
  const { min, max, desired } = policy.scaling[name];
  const own = qualified(policy, name);
  return {
    ...{ name, min, max, desired, family: own, logGroup: `/ecs/${own}` },
    // One set an account: the same image is promoted, and nothing is built twice.
    repository: `${system}-${name}`,
  };
}

function bucketOf(
  { infrastructure }: PolicySet,
  use: "frontend" | "exports" | "bundle",
): string | null {
  if (use === "exports") return infrastructure.exportsBucket;
  if (use === "bundle") return infrastructure.bundleBucket;
  return infrastructure.frontend.enabled ? infrastructure.frontend.bucket : null;
}
