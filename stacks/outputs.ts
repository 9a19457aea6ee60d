/** What one stack tells the others, by name: the only list. Never a secret: outputs stand in the state in clear text. */
import type { StackPart } from "../src/policy/stack-order.js";

const TOLD = {
  vpc_id: "network",
  public_subnet_ids: "network",
  private_subnet_ids: "network",
  balancer_group_id: "network",
  task_group_id: "network",
  database_group_id: "network",
  cache_group_id: "network",
  access_logs_bucket: "network",
  kms_key_arn: "network",
  database_endpoint: "data",
  database_reader_endpoint: "data",
  database_resource_id: "data",
  migrator_secret_arn: "data",
  cache_endpoint: "data",
  heartbeats_table_arn: "data",
  exports_bucket_arn: "data",
  bundle_bucket: "data",
  bundle_bucket_arn: "data",
  repository_urls: "registry",
  executor_role_arn: "identity",
  plan_role_arn: "identity",
  apply_role_arn: "identity",
  push_role_arn: "identity",
  boundary_arn: "identity",
  secret_arns: "cluster",
  shell_logs_arn: "cluster",
  balancer_arn_suffix: "services",
  target_group_arn_suffix: "services",
  log_group_names: "services",
  distribution_id: "delivery",
  frontend_bucket: "delivery",
} as const satisfies Readonly<Record<string, StackPart>>;

export type OutputName = keyof typeof TOLD;
export const OUTPUTS: Readonly<Record<OutputName, StackPart>> = TOLD;
