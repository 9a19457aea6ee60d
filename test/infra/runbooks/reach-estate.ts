/** A database and a cache that the tasks of the estate reach and nobody else, as the stacks leave them (HB-aws-21). */
import {
  CreateCacheClusterCommand,
  CreateReplicationGroupCommand,
  ElastiCacheClient,
} from "@aws-sdk/client-elasticache";
import { CreateDBClusterCommand, CreateDBInstanceCommand, RDSClient } from "@aws-sdk/client-rds";
import { AwsClients, type AwsGround } from "../../../src/adapter/aws-clients.js";
import { sendQuery } from "../../../src/adapter/aws-query.js";
import { textOf } from "../../../src/adapter/aws-xml.js";
import { systemClock } from "../../../src/base/clock.js";
import { MOTO_CREDENTIALS, MOTO_REGION } from "../../support/moto.js";
import type { MotoGround } from "./moto-ground.js";

/** Of both: their ports are open to `tasks`, a security group, alone. Answers with the group of the cache. */
export async function makeReached(moto: MotoGround, name: string, tasks: string): Promise<string> {
  const [database, cache] = [
    await makeGroup(moto, `${name}-database`, tasks, 5_432),
    await makeGroup(moto, `${name}-cache`, tasks, 6_379),
  ];
  const rds = new RDSClient(moto.settings());
  await rds.send(
    new CreateDBClusterCommand({
      ...{ DBClusterIdentifier: name, Engine: "aurora-postgresql", MasterUsername: "migrator" },
      ...{ ManageMasterUserPassword: true, VpcSecurityGroupIds: [database] },
    }),
  );
  await rds.send(
    new CreateDBInstanceCommand({
      ...{ DBInstanceIdentifier: `${name}-1`, DBClusterIdentifier: name },
      ...{ DBInstanceClass: "db.serverless", Engine: "aurora-postgresql" },
    }),
  );
  const elasticache = new ElastiCacheClient(moto.settings());
  await elasticache.send(
    new CreateReplicationGroupCommand({
      ...{ ReplicationGroupId: name, ReplicationGroupDescription: "cache", Engine: "redis" },
      ...{ CacheNodeType: "cache.t4g.small", NumCacheClusters: 2 },
    }),
  );
  await elasticache.send(
    new CreateCacheClusterCommand({
      ...{ CacheClusterId: `${name}-001`, SecurityGroupIds: [cache], Engine: "redis" },
      ...{ CacheNodeType: "cache.t4g.small", NumCacheNodes: 1 },
    }),
  );
  return cache;
}

async function makeGroup(moto: MotoGround, name: string, from: string, port: number) {
  const ground = groundOf(moto);
  const about = { target: name };
  const fields = { GroupName: name, GroupDescription: name };
  const made = await sendQuery(ground, "ec2", "CreateSecurityGroup", fields, about);
  const GroupId = textOf(made, "groupId") ?? "";
  const rule = {
    "IpPermissions.1.IpProtocol": "tcp",
    "IpPermissions.1.FromPort": String(port),
    "IpPermissions.1.ToPort": String(port),
    "IpPermissions.1.Groups.1.GroupId": from,
  };
  const operation = "AuthorizeSecurityGroupIngress";
  await sendQuery(ground, "ec2", operation, { GroupId, ...rule }, about);
  return GroupId;
}

function groundOf(moto: MotoGround): AwsGround {
  const access = {
    ...{ region: MOTO_REGION, endpointUrl: moto.server.url, credentials: MOTO_CREDENTIALS },
  };
  return {
    ...{ access, place: () => moto.place, signal: new AbortController().signal, lease: null },
    ...{ clock: systemClock, onCall: () => {}, timeoutMs: 60_000 },
    clients: new AwsClients(access),
  };
}
