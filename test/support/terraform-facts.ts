/**
 * What the stand-in provider knows of AWS besides the schema: by what a resource is known, and which change
 * needs a new one. Both are in the provider's code and in no schema.
 */
export interface Identity {
  /** Template over the attributes, e.g. `{cluster|last}/{name}`. */
  readonly key: string;
  readonly importBy: "key" | "arn" | "id";
  /** `arn` where the attribute `id` is the ARN although people import by the key. */
  readonly id?: "arn";
  /** Of a made-up id. */
  readonly prefix?: string;
}

const byKey = (key: string): Identity => ({ key, importBy: "key" });
const byArn = (key: string): Identity => ({ key, importBy: "arn" });

export const IDENTITIES: Readonly<Record<string, Identity>> = {
  aws_appautoscaling_policy: byKey("{service_namespace}/{resource_id}/{scalable_dimension}/{name}"),
  aws_appautoscaling_target: byKey("{service_namespace}/{resource_id}/{scalable_dimension}"),
  aws_cloudwatch_log_group: byKey("{name}"),
  aws_cloudwatch_metric_alarm: byKey("{alarm_name}"),
  aws_ecr_repository: byKey("{name}"),
  aws_ecs_cluster: { key: "{name}", importBy: "key", id: "arn" },
  aws_ecs_service: { key: "{cluster|last}/{name}", importBy: "key", id: "arn" },
  aws_ecs_task_definition: byArn("{family}:{revision}"),
  aws_iam_role: byKey("{name}"),
  aws_iam_role_policy: byKey("{role}:{name}"),
  aws_s3_bucket: byKey("{bucket}"),
  aws_s3_bucket_lifecycle_configuration: byKey("{bucket}"),
  aws_s3_bucket_public_access_block: byKey("{bucket}"),
  aws_s3_bucket_server_side_encryption_configuration: byKey("{bucket}"),
  aws_secretsmanager_secret: byArn("{name}"),
  aws_sns_topic: byArn("{name}"),
};

export const REPLACES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  aws_ecs_task_definition: { "*": "a revision is never changed, only followed by the next" },
  aws_s3_bucket: { bucket: "a bucket cannot be renamed" },
};
