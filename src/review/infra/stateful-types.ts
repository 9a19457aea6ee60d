/** Which resources hold what no later apply brings back, with the reason that reviewers read. */

const STATEFUL: Readonly<Record<string, string>> = {
  aws_rds_cluster: "the database and its automatic backups",
  aws_rds_cluster_instance: "a server of the database; without the last one nobody reads it",
  aws_db_instance: "a database and its automatic backups",
  aws_elasticache_replication_group: "the cache and every session in it",
  aws_dynamodb_table: "the heartbeats by which a dead leader is found",
  aws_s3_bucket: "every object in it, and its name may be taken by a stranger",
  aws_kms_key: "whatever is encrypted with it can never be read again",
  aws_secretsmanager_secret: "a secret that services read by its address",
  aws_ecr_repository: "the images that run, and those to go back to",
  aws_cloudwatch_log_group: "the log lines that an incident is explained with",
  aws_efs_file_system: "every file in it",
  aws_ebs_volume: "every file on it",
};

/** Null: it holds nothing; making it anew is all there is to it. */
export function stateOf(type: string): string | null {
  return Object.hasOwn(STATEFUL, type) ? STATEFUL[type]! : null;
}
