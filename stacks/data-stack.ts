/** What must not be lost: database, cache, heartbeats, exports, published policies. */

import { DynamodbTable } from "#aws/dynamodb-table";
import type { App, TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { makeBucket } from "./bucket.js";
import { makeCache } from "./cache.js";
import { type DataInputs, readDataInputs } from "./data-inputs.js";
import { makeDatabase } from "./database.js";
import { foundStack, putOut } from "./foundation.js";

export function makeDataStack(app: App, policy: PolicySet): void {
  const stack = foundStack(app, policy, "data");
  const inputs = readDataInputs(stack, policy);
  const database = makeDatabase(stack, policy, inputs);
  const cache = makeCache(stack, policy, inputs);
  const heartbeats = makeHeartbeats(stack, policy);
  putOut(stack, "database_endpoint", database.endpoint);
  // It leads to the writer when there is no reader: told, it would be believed.
  if (policy.infrastructure.aurora.readers > 0)
    putOut(stack, "database_reader_endpoint", database.readerEndpoint);
  putOut(stack, "database_resource_id", database.clusterResourceId);
  putOut(stack, "migrator_secret_arn", database.masterUserSecret.get(0).secretArn);
  putOut(stack, "cache_endpoint", cache.primaryEndpointAddress);
  putOut(stack, "heartbeats_table_arn", heartbeats.arn);
  makeBuckets(stack, policy, inputs);
}

/**
 * One row, written every few seconds (HB-aws-13, HB-cli-14). By AWS's key and not by ours: a lost right to
 * a key would look like a dead orchestrator, and the row says nothing that is worth hiding.
 */
function makeHeartbeats(stack: TerraformStack, { infrastructure }: PolicySet): DynamodbTable {
  return new DynamodbTable(stack, "heartbeats", {
    name: infrastructure.heartbeatsTable,
    billingMode: "PAY_PER_REQUEST",
    hashKey: "service",
    attribute: [{ name: "service", type: "S" }],
    pointInTimeRecovery: { enabled: true },
    serverSideEncryption: { enabled: true },
    deletionProtectionEnabled: true,
  });
}

/** Exports are forgotten by themselves, without versions (HB-aws-15); published policies keep every version. */
function makeBuckets(
  stack: TerraformStack,
  policy: PolicySet,
  { keyArn, logsBucket }: DataInputs,
): void {
  const { infrastructure, retention } = policy;
  const exported = makeBucket(stack, policy, {
    id: "exports",
    name: infrastructure.exportsBucket,
    keyArn,
    versioned: false,
    expireDays: retention.exportsDays,
    logsTo: logsBucket,
  });
  const bundles = makeBucket(stack, policy, {
    id: "bundles",
    name: infrastructure.bundleBucket,
    keyArn,
    versioned: true,
    expireDays: null,
    logsTo: logsBucket,
  });
  putOut(stack, "exports_bucket_arn", exported.arn);
  putOut(stack, "bundle_bucket", bundles.bucket);
  putOut(stack, "bundle_bucket_arn", bundles.arn);
}
