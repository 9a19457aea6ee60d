/**
 * What the stand-in provider knows of AWS besides the schema: by what a resource is known, and which change
 * needs a new one. Both are in the real provider's code (`ForceNew`) and in no schema.
 */
import { IMPORT_RULES } from "../../src/review/infra/import-rules.js";

export interface Identity {
  /** Template over the attributes, as in an import rule; empty: by all that is said of it. */
  readonly key: string;
  readonly importBy: "key" | "arn" | "id";
  /** `arn` where the attribute `id` is the ARN although people import by the key. */
  readonly id?: "arn";
  /** Of a made-up id. */
  readonly prefix?: string;
}

/** Never imported by anyone; what counts is that no two of them are one. */
const OURS: Readonly<Record<string, Identity>> = {
  aws_ecs_task_definition: { key: "{family}:{revision}", importBy: "arn" },
};

const PREFIXES: Readonly<Record<string, string>> = {
  aws_eip: "eipalloc",
  aws_internet_gateway: "igw",
  aws_nat_gateway: "nat",
  aws_route_table: "rtb",
  aws_security_group: "sg",
  aws_subnet: "subnet",
  aws_vpc: "vpc",
  aws_vpc_security_group_egress_rule: "sgr",
  aws_vpc_security_group_ingress_rule: "sgr",
};

const ID_IS_ARN: ReadonlySet<string> = new Set(["aws_ecs_cluster", "aws_ecs_service"]);

export const IDENTITIES: Readonly<Record<string, Identity>> = {
  ...Object.fromEntries(
    Object.keys(PREFIXES).map((type) => [type, identity(type, { key: "", by: "id" })]),
  ),
  ...Object.fromEntries(
    Object.entries(IMPORT_RULES).map(([type, rule]) => [type, identity(type, rule)]),
  ),
  ...OURS,
};

function identity(type: string, { key, by }: { key: string; by: Identity["importBy"] }): Identity {
  const prefix = PREFIXES[type];
  return {
    key,
    importBy: by,
    ...(ID_IS_ARN.has(type) ? { id: "arn" as const } : {}),
    ...(prefix === undefined ? {} : { prefix }),
  };
}

const NAMED = "AWS cannot rename it";
const ENCRYPTED = "what is stored is encrypted once, when it is made";
const PLACED = "it lives in its network for good";

/** Reasons by attribute; `*` is every attribute. */
export const REPLACES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  aws_appautoscaling_policy: { name: NAMED, resource_id: NAMED, scalable_dimension: NAMED },
  aws_appautoscaling_target: {
    resource_id: NAMED,
    scalable_dimension: NAMED,
    service_namespace: NAMED,
  },
  aws_cloudwatch_log_group: { name: NAMED },
  aws_cloudwatch_metric_alarm: { alarm_name: NAMED },
  aws_db_subnet_group: { name: NAMED },
  aws_dynamodb_table: { name: NAMED, hash_key: "the key decides where each item lies" },
  aws_ecr_repository: { name: NAMED, encryption_configuration: ENCRYPTED },
  aws_ecs_cluster: { name: NAMED },
  aws_ecs_service: { name: NAMED, cluster: NAMED, launch_type: "a service keeps its launch type" },
  aws_ecs_task_definition: { "*": "a revision is never changed, only followed by the next" },
  aws_elasticache_replication_group: {
    replication_group_id: NAMED,
    at_rest_encryption_enabled: ENCRYPTED,
    kms_key_id: ENCRYPTED,
    subnet_group_name: PLACED,
  },
  aws_iam_role: { name: NAMED },
  aws_iam_role_policy: { name: NAMED, role: NAMED },
  aws_lb: { name: NAMED, internal: PLACED, load_balancer_type: "a load balancer keeps its kind" },
  aws_lb_target_group: { name: NAMED, port: NAMED, protocol: NAMED, vpc_id: PLACED },
  aws_rds_cluster: {
    cluster_identifier: NAMED,
    engine: "another engine is another database",
    database_name: "the first database is made once",
    storage_encrypted: ENCRYPTED,
    kms_key_id: ENCRYPTED,
    db_subnet_group_name: PLACED,
  },
  aws_rds_cluster_instance: { identifier: NAMED, engine: "another engine is another database" },
  aws_s3_bucket: { bucket: NAMED },
  aws_s3_bucket_lifecycle_configuration: { bucket: NAMED },
  aws_secretsmanager_secret: { name: NAMED },
  aws_security_group: { name: NAMED, description: "AWS has no call for it", vpc_id: PLACED },
  aws_sns_topic: { name: NAMED },
  aws_subnet: { cidr_block: PLACED, availability_zone: PLACED, vpc_id: PLACED },
  aws_vpc: { cidr_block: PLACED },
};
