/** Aurora PostgreSQL: one serverless writer, readers as policy says, no password that anyone has typed (HB-aws-10, HB-aws-11). */

import { CloudwatchLogGroup } from "#aws/cloudwatch-log-group";
import { DbSubnetGroup } from "#aws/db-subnet-group";
import { RdsCluster } from "#aws/rds-cluster";
import { RdsClusterInstance } from "#aws/rds-cluster-instance";
import { RdsClusterParameterGroup } from "#aws/rds-cluster-parameter-group";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import type { DataInputs } from "./data-inputs.js";

const ENGINE = "aurora-postgresql";
const PORT = 5432;
/**
 * Migrations use this user, processes another that a runbook makes (HB-aws-24). RDS makes its password,
 * keeps it in Secrets Manager and changes it by itself: it is in no state and no plan.
 */
const MIGRATOR = "migrator";

/** AWS cannot change these on a cluster that lives: an adopted one keeps its own, and is not made again. */
const CHOSEN_ONCE = ["kms_key_id", "master_username"];

export function makeDatabase(
  stack: TerraformStack,
  policy: PolicySet,
  inputs: DataInputs,
): RdsCluster {
  const { cluster: name, aurora } = policy.infrastructure;
  const logs = makeLogs(stack, policy, inputs);
  const cluster = new RdsCluster(stack, "database", {
    clusterIdentifier: name,
    engine: ENGINE,
    engineVersion: aurora.engine,
    databaseName: aurora.databaseName,
    port: PORT,
    ...masterUser(inputs),
    ...placement(stack, policy, inputs),
    serverlessv2ScalingConfiguration: {
      minCapacity: aurora.minCapacity,
      maxCapacity: aurora.maxCapacity,
    },
    storageEncrypted: true,
    kmsKeyId: inputs.keyArn,
    iamDatabaseAuthenticationEnabled: true,
    enabledCloudwatchLogsExports: ["postgresql"],
    ...kept(name, aurora.backupDays),
    dependsOn: [logs],
    lifecycle: { preventDestroy: true, ignoreChanges: CHOSEN_ONCE },
  });
  makeInstances(stack, policy, cluster, inputs.keyArn);
  return cluster;
}

function masterUser({ keyArn }: DataInputs) {
  return {
    masterUsername: MIGRATOR,
    manageMasterUserPassword: true,
    masterUserSecretKmsKeyId: keyArn,
  };
}

function placement(
  stack: TerraformStack,
  { infrastructure }: PolicySet,
  { subnetIds, databaseGroupId }: DataInputs,
) {
  const { cluster: name, aurora } = infrastructure;
  const subnets = new DbSubnetGroup(stack, "database-subnets", { name, subnetIds });
  const parameters = new RdsClusterParameterGroup(stack, "database-parameters", {
    name,
    family: `${ENGINE}${aurora.engine.split(".")[0]}`,
    description: "Connections are encrypted or refused.",
    // Statements are not logged: one that sets a password would stand there.
    parameter: [{ name: "rds.force_ssl", value: "1" }],
  });
  return {
    dbSubnetGroupName: subnets.name,
    dbClusterParameterGroupName: parameters.name,
    vpcSecurityGroupIds: [databaseGroupId],
  };
}

/** What stays when somebody errs. */
function kept(name: string, backupDays: number) {
  return {
    backupRetentionPeriod: backupDays,
    copyTagsToSnapshot: true,
    deletionProtection: true,
    skipFinalSnapshot: false,
    finalSnapshotIdentifier: `${name}-final`,
  };
}

/** Made here, or the server makes it when it first writes, and keeps everything for ever. */
function makeLogs(
  stack: TerraformStack,
  { infrastructure, retention }: PolicySet,
  { keyArn }: DataInputs,
): CloudwatchLogGroup {
  return new CloudwatchLogGroup(stack, "database-logs", {
    name: `/aws/rds/cluster/${infrastructure.cluster}/postgresql`,
    retentionInDays: retention.logsDays,
    kmsKeyId: keyArn,
  });
}

function makeInstances(
  stack: TerraformStack,
  { infrastructure }: PolicySet,
  cluster: RdsCluster,
  keyArn: string,
): void {
  const { cluster: name, aurora } = infrastructure;
  makeInstance(stack, cluster, keyArn, {
    id: "database-writer",
    identifier: `${name}-writer`,
    instanceClass: "db.serverless",
  });
  for (let number = 1; number <= aurora.readers; number++) {
    makeInstance(stack, cluster, keyArn, {
      id: `database-replica-${number}`,
      identifier: `${name}-replica-${number}`,
      instanceClass: aurora.readerClass,
    });
  }
}

function makeInstance(
  stack: TerraformStack,
  cluster: RdsCluster,
  keyArn: string,
  { id, ...instance }: { id: string; identifier: string; instanceClass: string },
): void {
  new RdsClusterInstance(stack, id, {
    ...instance,
    clusterIdentifier: cluster.id,
    engine: ENGINE,
    publiclyAccessible: false,
    performanceInsightsEnabled: true,
    performanceInsightsKmsKeyId: keyArn,
    // The policy says the version; a server that changes it by itself makes every plan a way back.
    autoMinorVersionUpgrade: false,
    copyTagsToSnapshot: true,
  });
}
