/**
 * How each kind of resource is called: by people (its key), and by `terraform import`. From the import section of
 * each resource's page in the provider's documentation (hashicorp/terraform-provider-aws, website/docs/r/*.html.markdown).
 */
export interface ImportRule {
  /**
   * Template over the arguments. `{cluster|last}` is what follows the last slash, for what may be given as an ARN;
   * `{tags.Name}` goes inside.
   */
  readonly key: string;
  /** What `terraform import` asks for: the key itself, or what AWS has made up. */
  readonly by: "key" | "arn" | "id";
}

const key = (template: string): ImportRule => ({ key: template, by: "key" });
const arn = (template: string): ImportRule => ({ key: template, by: "arn" });
const id = (template: string): ImportRule => ({ key: template, by: "id" });

/** Types that are not here cannot be adopted, only made. In a key, another resource is called by its own key. */
export const IMPORT_RULES: Readonly<Record<string, ImportRule>> = {
  aws_acm_certificate: arn("{domain_name}"),
  aws_appautoscaling_policy: key("{service_namespace}/{resource_id}/{scalable_dimension}/{name}"),
  aws_appautoscaling_target: key("{service_namespace}/{resource_id}/{scalable_dimension}"),
  aws_cloudformation_stack: key("{name}"),
  aws_cloudfront_cache_policy: id("{name}"),
  aws_cloudfront_distribution: id("{aliases.0}"),
  aws_cloudfront_origin_access_control: id("{name}"),
  aws_cloudfront_response_headers_policy: id("{name}"),
  aws_cloudwatch_dashboard: key("{dashboard_name}"),
  aws_cloudwatch_log_group: key("{name}"),
  aws_cloudwatch_log_subscription_filter: key("{log_group_name}|{name}"),
  aws_cloudwatch_metric_alarm: key("{alarm_name}"),
  aws_cloudwatch_query_definition: arn("{name}"),
  aws_default_security_group: id("{vpc_id}"),
  aws_db_subnet_group: key("{name}"),
  aws_dynamodb_table: key("{name}"),
  aws_ecr_lifecycle_policy: key("{repository}"),
  aws_ecr_repository: key("{name}"),
  aws_ecs_cluster: key("{name}"),
  aws_ecs_service: key("{cluster|last}/{name}"),
  aws_elasticache_parameter_group: key("{name}"),
  aws_elasticache_replication_group: key("{replication_group_id}"),
  aws_elasticache_subnet_group: key("{name}"),
  aws_flow_log: id("{vpc_id}"),
  aws_iam_openid_connect_provider: arn("{url}"),
  aws_iam_policy: arn("{name}"),
  aws_iam_role: key("{name}"),
  aws_iam_role_policies_exclusive: key("{role_name}"),
  aws_iam_role_policy_attachments_exclusive: key("{role_name}"),
  aws_iam_role_policy: key("{role}:{name}"),
  aws_iam_role_policy_attachment: key("{role}/{policy_arn}"),
  aws_internet_gateway: id("{vpc_id}"),
  aws_kms_alias: key("{name}"),
  aws_kms_key: id("{description}"),
  aws_lambda_permission: key("{function_name}/{statement_id}"),
  aws_lb: arn("{name}"),
  aws_lb_listener: arn("{load_balancer_arn|last}:{port}"),
  aws_lb_target_group: arn("{name}"),
  aws_nat_gateway: id("{tags.Name}"),
  aws_rds_cluster: key("{cluster_identifier}"),
  aws_rds_cluster_instance: key("{identifier}"),
  aws_rds_cluster_parameter_group: key("{name}"),
  aws_route: id("{route_table_id}/{destination_cidr_block}"),
  aws_route_table: id("{tags.Name}"),
  aws_route_table_association: id("{subnet_id}/{route_table_id}"),
  aws_s3_bucket: key("{bucket}"),
  aws_s3_bucket_lifecycle_configuration: key("{bucket}"),
  aws_s3_bucket_logging: key("{bucket}"),
  aws_s3_bucket_ownership_controls: key("{bucket}"),
  aws_s3_bucket_policy: key("{bucket}"),
  aws_s3_bucket_public_access_block: key("{bucket}"),
  aws_s3_bucket_server_side_encryption_configuration: key("{bucket}"),
  aws_s3_bucket_versioning: key("{bucket}"),
  aws_secretsmanager_secret: arn("{name}"),
  aws_security_group: id("{name}"),
  aws_sns_topic: arn("{name}"),
  aws_sns_topic_policy: key("{arn}"),
  aws_subnet: id("{tags.Name}"),
  aws_vpc: id("{tags.Name}"),
  aws_vpc_endpoint: id("{vpc_id}/{service_name}"),
};

/**
 * The template filled with what `read` knows of each name; null as soon as it knows one of them not.
 * Never throws.
 */
export function fillKey(
  template: string,
  read: (path: readonly string[]) => string | null,
): string | null {
  let isWhole = true;
  const filled = template.replaceAll(/\{([\w.]+)(\|last)?\}/g, (_, path: string, last?: string) => {
    const value = read(path.split("."));
    if (value === null || value === "") isWhole = false;
    return last === undefined ? (value ?? "") : (value?.split("/").at(-1) ?? "");
  });
  return isWhole ? filled : null;
}
