/**
 * Rules of checkov that we deliberately break, each with its reason and the only resources it is for. A row that nothing
 * needs any more fails its test. Beside the resource it cannot stand: checkov reads no such comment in Terraform JSON.
 */
export interface CheckovSkip {
  /** `CKV_AWS_338`. */
  readonly check: string;
  /** `aws_lb.balancer`, or `aws_s3_bucket.*` where the reason holds for every one of the type. */
  readonly address: string;
  readonly reason: string;
}

const NO_FIREWALL =
  "a web firewall costs its price every month and needs rules that somebody owns; the API limits callers by itself (HB-env-25)";
const ONE_REGION =
  "one region by HB-aws-23; what must survive it are backups, and restoring them is rehearsed";
const NOBODY_LISTENS = "nothing acts on what is put there, and an event without a reader is noise";
const PLAIN_LOGS =
  "the balancer and S3 write access logs only to a bucket with keys of S3's own (AWS, access log bucket permissions)";
const DAYS_OF_POLICY =
  "logs are kept for the days that the policy says (HB-aws-18, 30): a year is the policy's to say";

export const CHECKOV_SKIPS: readonly CheckovSkip[] = [
  {
    check: "CKV2_AWS_57",
    address: "aws_secretsmanager_secret.*",
    reason:
      "runbooks rotate them (RB-97 to RB-101): they test the new value and restart who reads it, which a Lambda function cannot",
  },
  { check: "CKV_AWS_338", address: "aws_cloudwatch_log_group.*", reason: DAYS_OF_POLICY },
  { check: "CKV2_AWS_62", address: "aws_s3_bucket.*", reason: NOBODY_LISTENS },
  { check: "CKV_AWS_144", address: "aws_s3_bucket.*", reason: ONE_REGION },
  { check: "CKV_AWS_145", address: "aws_s3_bucket.access-logs", reason: PLAIN_LOGS },
  {
    check: "CKV_AWS_18",
    address: "aws_s3_bucket.access-logs",
    reason: "a bucket that logs into itself never stops",
  },
  {
    check: "CKV_AWS_21",
    address: "aws_s3_bucket.access-logs",
    reason: "only AWS writes there, each object once under a name of its own",
  },
  {
    check: "CKV_AWS_145",
    address: "aws_s3_bucket.frontend",
    reason: "holds what every visitor is sent anyway; keys of S3's own protect the disks",
  },
  {
    check: "CKV2_AWS_5",
    address: "aws_security_group.*",
    reason:
      "what they are attached to stands in the stacks after this one, which checkov does not join",
  },
  {
    check: "CKV_AWS_260",
    address: "aws_vpc_security_group_ingress_rule.balancer-http",
    reason: "port 80 answers every request with a redirect to 443 and nothing else (HB-aws-17)",
  },
  {
    check: "CKV2_AWS_8",
    address: "aws_rds_cluster.database",
    reason: "Aurora keeps its own continuous backups for the days of the policy (HB-aws-10)",
  },
  {
    check: "CKV_AWS_31",
    address: "aws_elasticache_replication_group.cache",
    reason: "a token given here stands in the state in clear text; RB-101 sets it (HB-sec-01)",
  },
  {
    check: "CKV2_AWS_27",
    address: "aws_rds_cluster.database",
    reason:
      "a log of statements would hold those that set passwords (RB-98); what is slow is told by the service itself",
  },
  {
    check: "CKV_AWS_118",
    address: "aws_rds_cluster_instance.*",
    reason:
      "its figures of every second cost a role and a log group, and Performance Insights answers the questions people have",
  },
  {
    check: "CKV_AWS_226",
    address: "aws_rds_cluster_instance.*",
    reason:
      "the policy says the version: an upgrade that nobody merged is drift, and restarts the database when nobody looks",
  },
  {
    check: "CKV_AWS_119",
    address: "aws_dynamodb_table.heartbeats",
    reason: "a right to our key that got lost would look like an orchestrator that died",
  },
  {
    check: "CKV_AWS_21",
    address: "aws_s3_bucket.exports",
    reason:
      "what the retention deletes must be gone: an old version would keep it for longer than the policy says",
  },
  { check: "CKV2_AWS_28", address: "aws_lb.balancer", reason: NO_FIREWALL },
  { check: "CKV2_AWS_47", address: "aws_cloudfront_distribution.cdn", reason: NO_FIREWALL },
  { check: "CKV_AWS_68", address: "aws_cloudfront_distribution.cdn", reason: NO_FIREWALL },
  {
    check: "CKV_AWS_86",
    address: "aws_cloudfront_distribution.cdn",
    reason:
      "its log needs a bucket with access control lists, which none of ours has; who did what stands in the API's own log",
  },
  {
    check: "CKV_AWS_61",
    address: "aws_iam_role.executor-role",
    reason:
      "AWS takes no principal that does not exist yet, and the executor's own role is made later: the condition names it alone",
  },
  { check: "CKV_AWS_310", address: "aws_cloudfront_distribution.cdn", reason: ONE_REGION },
  {
    check: "CKV_AWS_374",
    address: "aws_cloudfront_distribution.cdn",
    reason: "people on call are wherever they are",
  },
];
