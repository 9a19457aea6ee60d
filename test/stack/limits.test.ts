/** GIVEN a resource that fits its schema, WHEN AWS would refuse it all the same, THEN synthesis says so (gitops-iac.md A5). */
import { describe, expect, test } from "vitest";
import { logQueries } from "../../src/alert/outlet/log-queries.js";
import type { JsonObject } from "../../src/base/json.js";
import { MONITORING_DEFAULTS } from "../../src/policy/defaults.js";
import { checkLimits } from "../../stacks/limits.js";

const LOG_QUERIES = logQueries(MONITORING_DEFAULTS.queries);

function findings(type: string, body: JsonObject): string[] {
  return checkLimits({ resource: { [type]: { it: body } } }).map(({ message }) => message);
}

const UNKNOWN = `\${var.x}`;
const CHECK = { path: "/health/live", interval: 15, timeout: 5, healthy_threshold: 2 };
const CAPACITY = { min_capacity: 0.5, max_capacity: 16 };
const BEHAVIOR = { target_origin_id: "bucket", min_ttl: 0, default_ttl: 60, max_ttl: 3600 };
const ORIGIN = [{ origin_id: "bucket" }];

/** A body that AWS takes, what is changed in it, and the word that the finding must have. */
const PACKED = { enable_accept_encoding_gzip: true };
const CASES: readonly (readonly [string, JsonObject, JsonObject, RegExp])[] = [
  [
    "aws_rds_cluster",
    { serverlessv2_scaling_configuration: CAPACITY },
    { serverlessv2_scaling_configuration: { min_capacity: 0.7, max_capacity: 16 } },
    /capacity of 0\.7 units; Aurora counts in halves/,
  ],
  [
    "aws_rds_cluster",
    { serverlessv2_scaling_configuration: [CAPACITY] },
    { serverlessv2_scaling_configuration: [{ min_capacity: 8, max_capacity: 4 }] },
    /min_capacity 8 above max_capacity 4/,
  ],
  [
    "aws_rds_cluster",
    { backup_retention_period: 14 },
    { backup_retention_period: 36 },
    /backup retention of 36; AWS takes 1 to 35/,
  ],
  [
    "aws_elasticache_replication_group",
    { num_cache_clusters: 2, automatic_failover_enabled: true, multi_az_enabled: true },
    { num_cache_clusters: 1 },
    /takes two nodes, and has 1/,
  ],
  [
    "aws_elasticache_replication_group",
    { multi_az_enabled: true, automatic_failover_enabled: true },
    { automatic_failover_enabled: false },
    /does not fail over/,
  ],
  [
    "aws_dynamodb_table",
    { hash_key: "service", attribute: [{ name: "service", type: "S" }] },
    { attribute: [] },
    /key "service", which no attribute declares/,
  ],
  [
    "aws_dynamodb_table",
    { hash_key: "service", attribute: [{ name: "service", type: "S" }] },
    { attribute: [{ name: "service" }, { name: "last_heartbeat" }] },
    /declares the attribute "last_heartbeat", which is no key/,
  ],
  ["aws_kms_key", { deletion_window_in_days: 30 }, { deletion_window_in_days: 6 }, /window of 6/],
  [
    "aws_secretsmanager_secret",
    { name: "algobrain/prod/jwt-secret", recovery_window_in_days: 0 },
    { recovery_window_in_days: 3 },
    /recovery window of 3/,
  ],
  ["aws_lb", { name: "algobrain-api", idle_timeout: 60 }, { idle_timeout: 5000 }, /idle timeout/],
  [
    "aws_lb",
    { load_balancer_type: "application", subnets: ["subnet-1", "subnet-2"] },
    { subnets: ["subnet-1"] },
    /two zones or more/,
  ],
  [
    "aws_lb_listener",
    { protocol: "HTTPS", certificate_arn: UNKNOWN },
    { certificate_arn: null },
    /speaks HTTPS and has no certificate_arn/,
  ],
  [
    "aws_lb_target_group",
    { health_check: CHECK },
    { health_check: { ...CHECK, timeout: 15 } },
    /waits 15 s for an answer and asks again after 15 s/,
  ],
  [
    "aws_lb_target_group",
    { health_check: CHECK },
    { health_check: { ...CHECK, healthy_threshold: 1 } },
    /healthy threshold of 1; AWS takes 2 to 10/,
  ],
  [
    "aws_lb_target_group",
    { health_check: CHECK },
    { health_check: { ...CHECK, path: "health" } },
    /a path begins with "\/"/,
  ],
  [
    "aws_cloudfront_distribution",
    { origin: ORIGIN, default_cache_behavior: BEHAVIOR },
    { default_cache_behavior: { ...BEHAVIOR, default_ttl: 7200 } },
    /default_ttl 7200 above max_ttl 3600/,
  ],
  [
    "aws_cloudfront_distribution",
    { origin: ORIGIN, default_cache_behavior: BEHAVIOR },
    { default_cache_behavior: { ...BEHAVIOR, target_origin_id: "buckte" } },
    /origin "buckte", which it does not have/,
  ],
  [
    "aws_cloudfront_distribution",
    { viewer_certificate: { acm_certificate_arn: "arn:aws:acm:us-east-1:123456789012:x" } },
    { viewer_certificate: { acm_certificate_arn: "arn:aws:acm:eu-west-1:123456789012:x" } },
    /certificate of eu-west-1; CloudFront reads those of us-east-1/,
  ],
  [
    "aws_cloudfront_distribution",
    { aliases: ["a.example"], viewer_certificate: { cloudfront_default_certificate: false } },
    { viewer_certificate: { cloudfront_default_certificate: true } },
    /covers none of them/,
  ],
  [
    "aws_cloudfront_cache_policy",
    { min_ttl: 0, default_ttl: 60, max_ttl: 3600 },
    { min_ttl: 120 },
    /min_ttl 120 above default_ttl 60/,
  ],
  [
    "aws_cloudfront_cache_policy",
    { default_ttl: 0, max_ttl: 1, parameters_in_cache_key_and_forwarded_to_origin: PACKED },
    { max_ttl: 0 },
    /max_ttl 0.* compression, which CloudFront refuses/,
  ],
  [
    "aws_lb",
    { name: "a".repeat(32) },
    { name: "a".repeat(33) },
    /33 characters; AWS takes 1 to 32/,
  ],
  ["aws_lb_target_group", { name: "algobrain-api" }, { name: "api-" }, /no hyphen at either end/],
  ["aws_iam_role", { name: "r".repeat(64) }, { name: "r".repeat(65) }, /65 characters/],
  ["aws_s3_bucket", { bucket: "algobrain-exports" }, { bucket: "AlgoBrain" }, /lower-case/],
  [
    "aws_rds_cluster",
    { cluster_identifier: "algobrain-prod" },
    { cluster_identifier: "a--b" },
    /single hyphens/,
  ],
  [
    "aws_iam_role",
    { assume_role_policy: "x".repeat(2048) },
    { assume_role_policy: "x".repeat(2049) },
    /trust policy of 2049 characters; IAM takes 2048/,
  ],
  [
    "aws_iam_role_policy",
    { policy: `${"x ".repeat(10_240)}` },
    { policy: "x".repeat(10_241) },
    /policy of 10241 characters/,
  ],
  [
    "aws_cloudwatch_dashboard",
    { dashboard_body: '{"widgets":[]}' },
    { dashboard_body: '{"widgets":[' },
    /no JSON object with widgets/,
  ],
];

/** What Fargate refuses of the times of one container. */
const CONTAINERS: readonly (readonly [JsonObject, RegExp])[] = [
  [{ stopTimeout: 121 }, /stop timeout of 121; AWS takes 2 to 120/],
  [{ stopTimeout: 1 }, /stop timeout of 1; AWS takes 2 to 120/],
  [{ healthCheck: { interval: 4 } }, /health check interval of 4; AWS takes 5 to 300/],
  [{ healthCheck: { timeout: 61 } }, /health check timeout of 61; AWS takes 2 to 60/],
  [{ healthCheck: { retries: 0 } }, /number of retries of 0; AWS takes 1 to 10/],
  [{ healthCheck: { startPeriod: 301 } }, /start period of 301; AWS takes 0 to 300/],
];

describe("a container", () => {
  const image = `algobrain-api:${"a".repeat(40)}`;
  const told = (container: JsonObject) =>
    findings("aws_ecs_task_definition", {
      container_definitions: JSON.stringify([{ image, ...container }]),
    });

  test.each(CONTAINERS)("with %j is refused", (container, expected) => {
    expect(told(container)).toEqual([expect.stringMatching(expected)]);
  });

  test("with the times of the default policy is taken", () => {
    const healthCheck = { interval: 15, timeout: 5, retries: 3, startPeriod: 60 };
    expect(told({ stopTimeout: 120, healthCheck })).toEqual([]);
  });
});

describe("a resource that AWS takes has no finding, and its broken twin has one", () => {
  test.each(CASES)("%s %j", (type, sound, change, expected) => {
    expect(findings(type, sound)).toEqual([]);
    expect(findings(type, { ...sound, ...change })).toEqual([expect.stringMatching(expected)]);
  });
});

test("what is an expression is not known, and passes", () => {
  expect(findings("aws_lb", { name: UNKNOWN, idle_timeout: UNKNOWN })).toEqual([]);
  expect(
    findings("aws_rds_cluster", {
      serverlessv2_scaling_configuration: { min_capacity: UNKNOWN, max_capacity: 1 },
    }),
  ).toEqual([]);
});

describe("a saved query", () => {
  const query = (query_string: string) =>
    findings("aws_cloudwatch_query_definition", { query_string });

  test.each(LOG_QUERIES.map(({ name, text }) => [name, text] as const))(
    "%s of ours is sound",
    (_, text) => {
      expect(query(text)).toEqual([]);
    },
  );

  test.each([
    ['filter level = "error | limit 5', /" is not closed/],
    ["stats count(* as n by kind", /\( is not closed/],
    ["stats count(*) as n by bin(5m)) | limit 5", /\) is not closed/],
    ["fields @timestamp | filtr a = 1", /command "filtr"/],
    ["fields @message | limit 20000", /limits of 1 to 10000/],
    ["fields @message | limit many", /limits of 1 to 10000/],
    [
      "stats count(*) by kind | sort count desc",
      /sorts by "count", to which its stats give no name/,
    ],
  ])("%s is refused", (text, expected) => {
    expect(query(text)).toEqual([expect.stringMatching(expected)]);
  });

  test("a pipe inside quotes or brackets ends no command", () => {
    expect(query("filter @message like /a/ and x = 'b|c' | sort @timestamp desc")).toEqual([]);
    expect(query('parse @message "[*|*]" as a, b | stats count(*) as n by a | sort a')).toEqual([]);
  });
});
