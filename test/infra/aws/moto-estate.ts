/** The estate of `makeAwsPlace` in an emulator: made by plain calls of the SDK, as bootstrap and Terraform would leave it. */
import {
  ApplicationAutoScalingClient,
  PutScalingPolicyCommand,
  RegisterScalableTargetCommand,
} from "@aws-sdk/client-application-auto-scaling";
import { CloudFrontClient, CreateDistributionCommand } from "@aws-sdk/client-cloudfront";
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  PutRetentionPolicyCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateRepositoryCommand, ECRClient, PutImageCommand } from "@aws-sdk/client-ecr";
import {
  CreateClusterCommand,
  CreateServiceCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
} from "@aws-sdk/client-ecs";
import {
  CreateCacheClusterCommand,
  CreateReplicationGroupCommand,
  ElastiCacheClient,
} from "@aws-sdk/client-elasticache";
import { CreateDBClusterCommand, RDSClient } from "@aws-sdk/client-rds";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { AwsClients, type AwsGround } from "../../../src/adapter/aws-clients.js";
import { sendQuery } from "../../../src/adapter/aws-query.js";
import { itemsOf, textOf } from "../../../src/adapter/aws-xml.js";
import { systemClock } from "../../../src/base/clock.js";
import type { AwsPlace } from "../../../src/runbook/aws-port.js";
import { MOTO_CREDENTIALS, MOTO_REGION } from "../../support/moto.js";

const SETTINGS = { region: MOTO_REGION, credentials: MOTO_CREDENTIALS, maxAttempts: 1 } as const;
/** What runs at first. */
export const FIRST_TAG = "a".repeat(40);
export const HEARTBEATS_TABLE = "algobrain-heartbeats";

/** One of its own for each file: nothing is kept between them. */
export async function makeEstate(url: string, place: AwsPlace): Promise<void> {
  const settings = { ...SETTINGS, endpoint: url };
  const { subnets, groups } = await defaultNetwork(url, place);
  await makeServices(new ECSClient(settings), place, { subnets, securityGroups: groups });
  await makeScaling(new ApplicationAutoScalingClient(settings), place);
  await makeImages(new ECRClient(settings), place);
  await makeLogs(new CloudWatchLogsClient(settings), place);
  await makeData(settings, place, groups);
}

/** The default network of the account is there from the start. */
export async function defaultNetwork(url: string, place: AwsPlace) {
  const access = { region: MOTO_REGION, endpointUrl: url, credentials: MOTO_CREDENTIALS };
  const ground: AwsGround = {
    ...{ access, place: () => place, signal: new AbortController().signal, clock: systemClock },
    ...{ onCall: () => {}, timeoutMs: 60_000, lease: null, clients: new AwsClients(access) },
  };
  const about = { target: "the default network" };
  const subnets = await sendQuery(ground, "ec2", "DescribeSubnets", {}, about);
  const groups = await sendQuery(ground, "ec2", "DescribeSecurityGroups", {}, about);
  const ids = (of: typeof subnets, list: string, name: string) =>
    itemsOf(of, list).flatMap((item) => textOf(item, name) ?? []);
  return {
    subnets: ids(subnets, "subnetSet", "subnetId").slice(0, 2),
    groups: ids(groups, "securityGroupInfo", "groupId").slice(0, 1),
  };
}

async function makeServices(
  ecs: ECSClient,
  { cluster, services, account, region }: AwsPlace,
  awsvpcConfiguration: { subnets: string[]; securityGroups: string[] },
): Promise<void> {
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  for (const { name, family, repository, desired } of Object.values(services)) {
    const image = `${account}.dkr.ecr.${region}.amazonaws.com/${repository}:${FIRST_TAG}`;
    const environment = [{ name: "ALGOBRAIN_ENV", value: "production" }];
    const container = { name, image, memory: 128, environment, essential: true };
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        ...{ family, networkMode: "awsvpc", requiresCompatibilities: ["FARGATE"] },
        ...{ cpu: "256", memory: "512", containerDefinitions: [container] },
      }),
    );
    await ecs.send(
      new CreateServiceCommand({
        ...{ cluster, serviceName: name, taskDefinition: family, desiredCount: desired },
        ...{ launchType: "FARGATE", networkConfiguration: { awsvpcConfiguration } },
        enableExecuteCommand: true,
      }),
    );
  }
}

async function makeScaling(
  scaling: ApplicationAutoScalingClient,
  { cluster, services }: AwsPlace,
): Promise<void> {
  for (const { name, min, max } of Object.values(services).filter((one) => one.max > one.min)) {
    const target = {
      ServiceNamespace: "ecs",
      ScalableDimension: "ecs:service:DesiredCount",
      ResourceId: `service/${cluster}/${name}`,
    } as const;
    await scaling.send(
      new RegisterScalableTargetCommand({ ...target, MinCapacity: min, MaxCapacity: max }),
    );
    await scaling.send(
      new PutScalingPolicyCommand({
        ...target,
        PolicyName: `${name}-scaling`,
        PolicyType: "TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: 70,
          PredefinedMetricSpecification: {
            PredefinedMetricType: "ECSServiceAverageCPUUtilization",
          },
        },
      }),
    );
  }
}

async function makeImages(ecr: ECRClient, { services }: AwsPlace): Promise<void> {
  for (const { repository } of Object.values(services)) {
    await ecr.send(new CreateRepositoryCommand({ repositoryName: repository }));
    const imageManifest = JSON.stringify({
      ...{ schemaVersion: 2, mediaType: "application/vnd.docker.distribution.manifest.v2+json" },
      config: { mediaType: "application/json", size: 2, digest: `sha256:${"0".repeat(64)}` },
      layers: [{ mediaType: "application/json", size: 2, digest: `sha256:${"1".repeat(64)}` }],
    });
    await ecr.send(
      new PutImageCommand({ repositoryName: repository, imageManifest, imageTag: FIRST_TAG }),
    );
  }
}

/** The group of the API keeps its lines for ever: what the handbook's own calls forget for the others. */
async function makeLogs(logs: CloudWatchLogsClient, { services, logGroupDays }: AwsPlace) {
  for (const { name, logGroup } of Object.values(services)) {
    await logs.send(new CreateLogGroupCommand({ logGroupName: logGroup }));
    if (name === "api") continue;
    const retention = { logGroupName: logGroup, retentionInDays: logGroupDays };
    await logs.send(new PutRetentionPolicyCommand(retention));
  }
}

async function makeData(
  settings: typeof SETTINGS & { readonly endpoint: string },
  place: AwsPlace,
  groups: string[],
): Promise<void> {
  await new RDSClient(settings).send(
    new CreateDBClusterCommand({
      ...{ DBClusterIdentifier: place.databaseCluster, Engine: "aurora-postgresql" },
      ...{ MasterUsername: "migrator", ManageMasterUserPassword: true },
      VpcSecurityGroupIds: groups,
    }),
  );
  const cache = new ElastiCacheClient(settings);
  await cache.send(
    new CreateReplicationGroupCommand({
      ...{ ReplicationGroupId: place.cacheGroup, ReplicationGroupDescription: "cache" },
      ...{ CacheNodeType: "cache.t4g.small", NumCacheClusters: 2, Engine: "redis" },
      ...{ TransitEncryptionEnabled: true, AuthToken: "a-first-token-of-the-cache" },
    }),
  );
  // The emulator names the members of a group and does not make them.
  await cache.send(
    new CreateCacheClusterCommand({
      ...{ CacheClusterId: `${place.cacheGroup}-001`, SecurityGroupIds: groups },
      ...{ Engine: "redis", CacheNodeType: "cache.t4g.small", NumCacheNodes: 1 },
    }),
  );
  await new DynamoDBClient(settings).send(
    new CreateTableCommand({
      ...{ TableName: HEARTBEATS_TABLE, BillingMode: "PAY_PER_REQUEST" },
      KeySchema: [{ AttributeName: "service", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "service", AttributeType: "S" }],
    }),
  );
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  for (const use of ["frontend", "exports", "bundle"] as const)
    await s3.send(new CreateBucketCommand({ Bucket: place.bucketOf(use) ?? "" }));
}

/** Answers with its id. */
export async function makeDistribution(url: string, alias: string): Promise<string> {
  const cloudfront = new CloudFrontClient({ ...SETTINGS, endpoint: url });
  const origin = { Id: "site", DomainName: "site.s3.amazonaws.com" };
  const { Distribution } = await cloudfront.send(
    new CreateDistributionCommand({
      DistributionConfig: {
        ...{ CallerReference: alias, Comment: "the dashboard", Enabled: true },
        Aliases: { Quantity: 1, Items: [alias] },
        Origins: {
          Quantity: 1,
          Items: [{ ...origin, S3OriginConfig: { OriginAccessIdentity: "" } }],
        },
        DefaultCacheBehavior: { TargetOriginId: "site", ViewerProtocolPolicy: "https-only" },
      },
    }),
  );
  return Distribution?.Id ?? "";
}
