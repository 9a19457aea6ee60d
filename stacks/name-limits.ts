/**
 * How long names may be and what they may be made of. Names are put together here from what the policy says, so a
 * longer name of an environment can be too much for one type and right for all others.
 */
import type { JsonObject } from "../src/base/json.js";
import { textOf } from "./limit-values.js";

interface NameLimit {
  readonly attribute: string;
  readonly min?: number;
  readonly max: number;
  readonly form: RegExp;
  /** The form in words. */
  readonly words: string;
}

const WORDS = /^[\w+=,.@-]+$/;
const BALANCER = {
  attribute: "name",
  max: 32,
  // Those that begin with "internal-" are AWS' own.
  form: /^(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/,
  words: "letters, digits and hyphens, no hyphen at either end, not beginning with internal-",
} as const;
const IDENTIFIER = {
  form: /^[a-z](?!.*--)[a-z0-9-]*(?<!-)$/,
  words: "lower-case letters, digits and single hyphens, beginning with a letter",
} as const;

const LIMITS: Readonly<Record<string, NameLimit>> = {
  aws_cloudwatch_dashboard: {
    attribute: "dashboard_name",
    max: 255,
    form: /^[\w-]+$/,
    words: "letters, digits, hyphens and underscores",
  },
  aws_dynamodb_table: {
    attribute: "name",
    min: 3,
    max: 255,
    form: /^[\w.-]+$/,
    words: "letters, digits, dots, hyphens and underscores",
  },
  aws_ecr_repository: {
    attribute: "name",
    min: 2,
    max: 256,
    form: /^[a-z0-9]+([._/-][a-z0-9]+)*$/,
    words: "lower-case letters and digits, with single . _ / - between",
  },
  aws_elasticache_replication_group: {
    attribute: "replication_group_id",
    max: 40,
    ...IDENTIFIER,
  },
  aws_iam_policy: {
    attribute: "name",
    max: 128,
    form: WORDS,
    words: "letters, digits and +=,.@-_",
  },
  aws_iam_role: { attribute: "name", max: 64, form: WORDS, words: "letters, digits and +=,.@-_" },
  aws_lb: BALANCER,
  aws_lb_target_group: BALANCER,
  aws_rds_cluster: { attribute: "cluster_identifier", max: 63, ...IDENTIFIER },
  aws_rds_cluster_instance: { attribute: "identifier", max: 63, ...IDENTIFIER },
  aws_s3_bucket: {
    attribute: "bucket",
    min: 3,
    max: 63,
    form: /^[a-z0-9](?!.*\.\.)[a-z0-9.-]*[a-z0-9]$/,
    words: "lower-case letters, digits, hyphens and single dots",
  },
  aws_secretsmanager_secret: {
    attribute: "name",
    max: 512,
    form: /^[\w/+=.@-]+$/,
    words: "letters, digits and /_+=.@-",
  },
  aws_sns_topic: {
    attribute: "name",
    max: 256,
    form: /^[\w-]+$/,
    words: "letters, digits, hyphens and underscores",
  },
};

/** Messages about the name of a resource; none for types that take any. */
export function nameFindings(type: string, body: JsonObject): string[] {
  const limit = LIMITS[type];
  const name = textOf(body[limit?.attribute ?? ""]);
  if (limit === undefined || name === null) return [];
  const { attribute, min = 1, max, form, words } = limit;
  const messages: string[] = [];
  if (name.length < min || name.length > max)
    messages.push(
      `has the ${attribute} "${name}" of ${name.length} characters; AWS takes ${min} to ${max}`,
    );
  if (!form.test(name)) messages.push(`has the ${attribute} "${name}"; AWS takes ${words}`);
  return messages;
}
