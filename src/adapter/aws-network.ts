/** Who may reach what: the security groups of the tasks, the database and the cache, as they are attached now (HB-aws-21). */
import type { AwsReader, SecurityGroupView } from "../runbook/aws-port.js";
import { cacheGroupIds } from "./aws-cache.js";
import { type AwsGround, send } from "./aws-clients.js";
import { sendQuery } from "./aws-query.js";
import { describeCluster } from "./aws-rds.js";
import { itemsOf, textOf, type XmlElement } from "./aws-xml.js";

export function createNetworkCare(ground: AwsGround): Pick<AwsReader, "securityGroups"> {
  return {
    securityGroups: async () => {
      const [task, database, cache] = await Promise.all([
        taskGroupIds(ground),
        databaseGroupIds(ground),
        cacheGroupIds(ground),
      ]);
      const groups = await describeGroups(ground, [...new Set([...task, ...database, ...cache])]);
      const of = (ids: readonly string[]) => groups.filter(({ id }) => ids.includes(id));
      return { task: of(task), database: of(database), cache: of(cache) };
    },
  };
}

async function taskGroupIds(ground: AwsGround): Promise<string[]> {
  const { DescribeServicesCommand } = await import("@aws-sdk/client-ecs");
  const { cluster, services } = ground.place();
  const names = Object.values(services).map(({ name }) => name);
  const command = new DescribeServicesCommand({ cluster, services: names });
  const answer = await send(ground, "ecs", command, { target: `${cluster}/${names.join(",")}` });
  return (answer.services ?? []).flatMap(
    ({ networkConfiguration }) => networkConfiguration?.awsvpcConfiguration?.securityGroups ?? [],
  );
}

async function databaseGroupIds(ground: AwsGround): Promise<string[]> {
  const { VpcSecurityGroups = [] } = await describeCluster(ground);
  return VpcSecurityGroups.flatMap(({ VpcSecurityGroupId: id }) => (id ? [id] : []));
}

async function describeGroups(
  ground: AwsGround,
  ids: readonly string[],
): Promise<SecurityGroupView[]> {
  // Without a filter EC2 would answer with all groups of the account.
  if (ids.length === 0) return [];
  const fields = Object.fromEntries(ids.map((id, i) => [`GroupId.${i + 1}`, id]));
  const target = ids.join(",");
  const answer = await sendQuery(ground, "ec2", "DescribeSecurityGroups", fields, { target });
  return itemsOf(answer, "securityGroupInfo").map((group) => ({
    id: textOf(group, "groupId") ?? "",
    ingress: itemsOf(group, "ipPermissions").map(ruleOf),
  }));
}

/** -1 for both ports means all of them: a protocol without ports. */
function ruleOf(rule: XmlElement): SecurityGroupView["ingress"][number] {
  const each = (path: string, name: string) =>
    itemsOf(rule, path).flatMap((item) => textOf(item, name) ?? []);
  return {
    from: Number(textOf(rule, "fromPort") ?? -1),
    to: Number(textOf(rule, "toPort") ?? -1),
    protocol: textOf(rule, "ipProtocol") ?? "-1",
    groups: each("groups", "groupId"),
    cidrs: [...each("ipRanges", "cidrIp"), ...each("ipv6Ranges", "cidrIpv6")],
  };
}
