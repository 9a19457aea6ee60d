/**
 * The estate as people leave it who follow the handbook by hand (HB-cli-06…31): the things with names exist, what a
 * command forgot is not set, and roles, alarms, rules and saved queries were never made.
 */
import { isJsonObject, type JsonObject } from "../../src/base/json.js";
import type { FoundResource } from "../../src/review/infra/adopt.js";
import { fillKey, IMPORT_RULES } from "../../src/review/infra/import-rules.js";
import type { Estate } from "./terraform.js";

interface LeftByHand {
  /** Import ids or names of those that exist; all of the type when absent. */
  readonly only?: RegExp;
  /** What differs from what our stacks say. */
  readonly set?: JsonObject;
}

const AWS_KEY = "arn:aws:kms:us-east-1:123456789012:key/of-aws";

const LEFT: Readonly<Record<string, LeftByHand>> = {
  aws_vpc: {},
  aws_subnet: {},
  aws_internet_gateway: {},
  aws_security_group: {},
  aws_db_subnet_group: {},
  aws_elasticache_subnet_group: {},
  // HB-aws-10, HB-cli-28: the cluster and its readers, with the key that AWS takes by itself.
  aws_rds_cluster: {
    set: {
      ...{ kms_key_id: AWS_KEY, master_username: "postgres", backup_retention_period: 1 },
      ...{ deletion_protection: false, iam_database_authentication_enabled: false },
      ...{ enabled_cloudwatch_logs_exports: [], db_cluster_parameter_group_name: "default" },
    },
  },
  aws_rds_cluster_instance: { set: { performance_insights_enabled: false } },
  aws_elasticache_replication_group: {
    set: { kms_key_id: null, node_type: "cache.t4g.micro", snapshot_retention_limit: 0 },
  },
  // HB-cli-14
  aws_dynamodb_table: { set: { point_in_time_recovery: [], deletion_protection_enabled: false } },
  // HB-cli-12, HB-aws-15
  aws_s3_bucket: { only: /-(exports|frontend-prod)$/ },
  aws_cloudfront_distribution: { set: { http_version: "http1.1" } },
  // HB-cli-06…08: pushed with `:latest`, so tags may be written again.
  aws_ecr_repository: {
    only: /-(api|orchestrator|workers)$/,
    set: {
      ...{ image_tag_mutability: "MUTABLE", image_scanning_configuration: [] },
      encryption_configuration: [{ encryption_type: "AES256", kms_key: "" }],
    },
  },
  // HB-cli-09…11
  aws_ecs_cluster: { set: { setting: [], configuration: [] } },
  aws_ecs_service: {
    only: /\/(api|orchestrator|workers)$/,
    set: {
      ...{ enable_execute_command: false, deployment_circuit_breaker: [], propagate_tags: null },
      task_definition: "arn:aws:ecs:us-east-1:123456789012:task-definition/by-hand:7",
    },
  },
  // HB-cli-13
  aws_secretsmanager_secret: {
    only: /\/(github-token|jwt-secret|webhook-secret|db-password|redis-password)$/,
    set: { kms_key_id: null },
  },
  // HB-cli-17; HB-cli-18 sets the retention of one of them.
  aws_cloudwatch_log_group: {
    only: /^\/ecs\/algobrain-(api|orchestrator|workers)$/,
    set: { retention_in_days: 0, kms_key_id: null },
  },
  // HB-cli-23, -24. The policy of the workers was refused: they have no target.
  aws_appautoscaling_target: { only: /\/api\// },
  aws_appautoscaling_policy: { only: /\/api\// },
  aws_lb: { set: { access_logs: [], enable_deletion_protection: false } },
  aws_lb_listener: { set: { ssl_policy: "ELBSecurityPolicy-2016-08" } },
  aws_lb_target_group: { set: { deregistration_delay: "300" } },
};

/** Turns an estate that our stacks made into one that people made, and lists what is in it. */
export function leaveByHand(estate: Estate): FoundResource[] {
  const found: FoundResource[] = [];
  const names = namesOfIds(estate);
  for (const [place, state] of Object.entries(estate.resources)) {
    delete estate.resources[place];
    const type = typeAt(place);
    const left = LEFT[type];
    const name = nameOf(type, state, names) ?? place.slice(type.length + 1);
    if (left === undefined || !(left.only ?? /./).test(name)) continue;
    const byHand = { ...state, ...left.set, ...withoutTags(state) };
    const by = IMPORT_RULES[type]?.by ?? "id";
    const id = by === "key" ? place.slice(type.length + 1) : String(state[by]);
    estate.resources[place] = byHand;
    found.push({ type, id, name });
  }
  return found;
}

function typeAt(place: string): string {
  return place.slice(0, place.indexOf("/"));
}

/** `vpc-0a1b…` → the name that its tag says. */
function namesOfIds({ resources }: Estate): ReadonlyMap<string, string> {
  const named = Object.entries(resources).flatMap(([place, state]): [string, string][] => {
    const name = nameOf(typeAt(place), state, new Map());
    return name === null ? [] : [[String(state.id), name]];
  });
  return new Map(named);
}

function nameOf(type: string, state: JsonObject, names: ReadonlyMap<string, string>) {
  return fillKey(IMPORT_RULES[type]?.key ?? "{none}", ([first = "", second]) => {
    const value = state[first];
    if (second !== undefined) return memberOf(value, second);
    if (typeof value !== "string" && typeof value !== "number") return null;
    return names.get(String(value)) ?? String(value);
  });
}

/** `tags.Name`, `aliases.0`. */
function memberOf(value: JsonObject[string] | undefined, name: string): string | null {
  const inside = Array.isArray(value) ? value[Number(name)] : asObject(value)[name];
  return typeof inside === "string" ? inside : null;
}

function asObject(value: JsonObject[string] | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}

/** A name is all that people give. */
function withoutTags({ tags }: JsonObject): JsonObject {
  if (tags === undefined) return {};
  const { Name: name } = asObject(tags);
  const kept: JsonObject = name === undefined ? {} : { Name: name };
  return { tags: kept, tags_all: kept };
}
