/** ElastiCache: the replication group of ours and the token that lets one in. */
import type { AwsReader, AwsWriter, CacheGroupView } from "../runbook/aws-port.js";
import { type AwsGround, send } from "./aws-clients.js";
import { missingIn } from "./aws-names.js";

export function createCacheCare(
  ground: AwsGround,
): Pick<AwsReader, "cacheGroup"> & Pick<AwsWriter, "setCacheToken"> {
  return {
    cacheGroup: async () => viewOf(await describeGroup(ground)),
    setCacheToken: async ({ value, strategy }) => {
      const { ModifyReplicationGroupCommand } = await import("@aws-sdk/client-elasticache");
      const ReplicationGroupId = ground.place().cacheGroup;
      const command = new ModifyReplicationGroupCommand({
        ...{ ReplicationGroupId, AuthTokenUpdateStrategy: strategy, ApplyImmediately: true },
        AuthToken: value.reveal(),
      });
      await send(ground, "elasticache", command, { target: ReplicationGroupId, isSecret: true });
    },
  };
}

/** Throws a refused Fault `AWS_NOT_FOUND`. */
async function describeGroup(ground: AwsGround) {
  const { DescribeReplicationGroupsCommand } = await import("@aws-sdk/client-elasticache");
  const id = ground.place().cacheGroup;
  const command = new DescribeReplicationGroupsCommand({ ReplicationGroupId: id });
  const answer = await send(ground, "elasticache", command, { target: id });
  const [group] = answer.ReplicationGroups ?? [];
  if (group === undefined) throw missingIn(`cache ${id}`, []);
  return group;
}

function viewOf(group: Awaited<ReturnType<typeof describeGroup>>): CacheGroupView {
  const { Status = "unknown", PendingModifiedValues = {} } = group;
  return {
    status: Status,
    authToken: group.AuthTokenEnabled ?? false,
    nodes: group.MemberClusters?.length ?? 0,
    nodeType: group.CacheNodeType ?? "",
    pending: Status === "modifying" || Object.keys(PendingModifiedValues).length > 0,
    tokenChangedAt: group.AuthTokenLastModifiedDate ?? null,
  };
}

/** Of its nodes, as they are attached now. */
export async function cacheGroupIds(ground: AwsGround): Promise<string[]> {
  const { DescribeCacheClustersCommand } = await import("@aws-sdk/client-elasticache");
  const [member] = (await describeGroup(ground)).MemberClusters ?? [];
  if (member === undefined) return [];
  const command = new DescribeCacheClustersCommand({ CacheClusterId: member });
  const answer = await send(ground, "elasticache", command, { target: member });
  const groups = answer.CacheClusters?.[0]?.SecurityGroups ?? [];
  return groups.flatMap(({ SecurityGroupId }) => (SecurityGroupId ? [SecurityGroupId] : []));
}
