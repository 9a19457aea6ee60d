/** What Aurora, ElastiCache, DynamoDB and the keeping of secrets refuse (gitops-iac.md A5; AWS' manuals by name). */
import type { JsonObject } from "../src/base/json.js";
import { blocksOf, descending, type Limit, numberOf, outside, textOf } from "./limit-values.js";

/** "Aurora Serverless v2 capacity": units of 2 GiB, in halves. */
const CAPACITY_MAX = 256;
const CAPACITY_STEP = 0.5;
/** "Backup retention period" of Aurora: it cannot be switched off. */
const BACKUP_DAYS = { min: 1, max: 35 };
/** A replication group without shards: one node that writes and five that read. */
const CACHE_NODES = { min: 1, max: 6 };
const RECOVERY_DAYS = { min: 7, max: 30 };

export const DATA_LIMITS: Readonly<Record<string, Limit>> = {
  aws_dynamodb_table: table,
  aws_elasticache_replication_group: cacheGroup,
  aws_kms_key: ({ deletion_window_in_days }) =>
    outside("a deletion window", deletion_window_in_days, RECOVERY_DAYS),
  aws_rds_cluster: databaseCluster,
  aws_secretsmanager_secret: secret,
};

function databaseCluster(body: JsonObject): string[] {
  return [
    ...outside("a backup retention", body.backup_retention_period, BACKUP_DAYS),
    ...blocksOf(body.serverlessv2_scaling_configuration).flatMap(capacity),
  ];
}

function capacity({ min_capacity, max_capacity }: JsonObject): string[] {
  const units = [min_capacity, max_capacity].map(numberOf).filter((number) => number !== null);
  return [
    ...units
      .filter((number) => number % CAPACITY_STEP !== 0)
      .map((number) => `has a capacity of ${number} units; Aurora counts in halves`),
    ...outside("a least capacity", min_capacity, { min: 0, max: CAPACITY_MAX }),
    ...outside("a most capacity", max_capacity, { min: 1, max: CAPACITY_MAX }),
    ...descending(["min_capacity", min_capacity], ["max_capacity", max_capacity]),
  ];
}

function cacheGroup(body: JsonObject): string[] {
  const { num_cache_clusters, automatic_failover_enabled, multi_az_enabled } = body;
  const messages = outside("a number of nodes", num_cache_clusters, CACHE_NODES);
  const nodes = numberOf(num_cache_clusters);
  if (automatic_failover_enabled === true && nodes !== null && nodes < 2)
    messages.push(`fails over by itself, which takes two nodes, and has ${nodes}`);
  if (multi_az_enabled === true && automatic_failover_enabled !== true)
    messages.push("lies in several zones and does not fail over between them");
  return messages;
}

/** A key must be declared, and nothing else may be: DynamoDB has no columns. */
function table(body: JsonObject): string[] {
  const indexes = [
    ...blocksOf(body.global_secondary_index),
    ...blocksOf(body.local_secondary_index),
  ];
  const keys = new Set(
    [body, ...indexes].flatMap(({ hash_key, range_key }) =>
      [hash_key, range_key].map(textOf).filter((key) => key !== null),
    ),
  );
  const declared = new Set(blocksOf(body.attribute).map(({ name }) => textOf(name) ?? ""));
  return [
    ...[...keys]
      .filter((key) => !declared.has(key))
      .map((key) => `has the key "${key}", which no attribute declares`),
    ...[...declared]
      .filter((name) => !keys.has(name))
      .map((name) => `declares the attribute "${name}", which is no key`),
  ];
}

function secret({ recovery_window_in_days }: JsonObject): string[] {
  // 0: gone at once.
  if (numberOf(recovery_window_in_days) === 0) return [];
  return outside("a recovery window", recovery_window_in_days, RECOVERY_DAYS);
}
