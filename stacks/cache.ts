/** ElastiCache: encrypted on the way and at rest, with nodes in several zones (HB-aws-12). */

import { ElasticacheReplicationGroup } from "#aws/elasticache-replication-group";
import { ElasticacheSubnetGroup } from "#aws/elasticache-subnet-group";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import type { DataInputs } from "./data-inputs.js";

/** The token that clients show is set by a runbook: written here it would stand in the state in clear text. */
const TOKEN = ["auth_token", "auth_token_update_strategy"];
/** AWS cannot change it on a cache that lives: an adopted one keeps its own, and is not made again. */
const CHOSEN_ONCE = ["kms_key_id"];

export function makeCache(
  stack: TerraformStack,
  { infrastructure, system }: PolicySet,
  { subnetIds, cacheGroupId, keyArn }: DataInputs,
): ElasticacheReplicationGroup {
  const { cluster: name, redis } = infrastructure;
  const subnets = new ElasticacheSubnetGroup(stack, "cache-subnets", { name, subnetIds });
  return new ElasticacheReplicationGroup(stack, "cache", {
    replicationGroupId: name,
    description: `Cache of ${system}.`,
    engine: "redis",
    engineVersion: redis.engine,
    nodeType: redis.nodeType,
    numCacheClusters: redis.nodes,
    automaticFailoverEnabled: redis.nodes > 1,
    multiAzEnabled: redis.nodes > 1,
    subnetGroupName: subnets.name,
    securityGroupIds: [cacheGroupId],
    // The provider wants this one as text.
    atRestEncryptionEnabled: "true",
    kmsKeyId: keyArn,
    transitEncryptionEnabled: true,
    // With the apply that people have agreed to, not days later: until then every look would call it drift.
    applyImmediately: true,
    lifecycle: { preventDestroy: true, ignoreChanges: [...TOKEN, ...CHOSEN_ONCE] },
  });
}
