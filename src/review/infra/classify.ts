/** What kind of risk a planned change is: worst first, one class for each. */
import { isQuiet, isReplaced, type PlannedChange } from "./plan-document.js";
import { shorterRetention } from "./shorter-retention.js";
import { stateOf } from "./stateful-types.js";

/** Worst first: the order of every table. */
export const CLASSES = [
  "replace-stateful",
  "delete-stateful",
  "retention-shorter",
  "delete",
  "replace",
  "power",
  "network",
  "capacity",
  "alarm",
  "deployment",
  "create",
  "other",
] as const;
export type ChangeClass = (typeof CLASSES)[number];

export interface Classified {
  readonly class: ChangeClass;
  /** One sentence, without values that may not be shown. */
  readonly why: string;
  /** A revert does not bring it back. */
  readonly irreversible: boolean;
}

/** Who may do what, and who may reach what. */
const POWER =
  /^aws_(iam_|security_group|vpc_security_group_|default_security_group|s3_bucket_(policy|public_access_block|acl|ownership)|kms_(key_policy|grant)|secretsmanager_secret_policy|ecr_repository_policy|sns_topic_policy|lambda_permission)/;
/** Attributes of other types that say the same. */
const POWER_PATHS =
  /(^|\.)(policy|assume_role_policy|permissions_boundary|publicly_accessible|task_role_arn|execution_role_arn|kms_key_id|security_groups|security_group_ids)(\[|\.|$)/;
const NETWORK =
  /^aws_(vpc|subnet|default_|route|nat_gateway|internet_gateway|eip|network_acl|lb|alb|cloudfront_|acm_|flow_log)/;
const ALARM =
  /^aws_(cloudwatch_(metric_alarm|composite_alarm)|sns_topic(_subscription)?|cloudwatch_log_metric_filter)$/;
const CAPACITY =
  /(^|\.)(min_capacity|max_capacity|desired_count|cpu|memory|memoryReservation|instance_class|node_type|num_cache_clusters|num_node_groups|replicas_per_node_group|target_value|scale_(in|out)_cooldown|read_capacity|write_capacity)$/;
const TASK = "aws_ecs_task_definition";

export function classify(change: PlannedChange): Classified {
  return taken(change) ?? written(change);
}

/** What goes. Null: it stays where it is. */
function taken(change: PlannedChange): Classified | null {
  const { type, actions } = change;
  const state = stateOf(type);
  if (isReplaced(change)) {
    // A revision is never changed: every new number is a new one, and the old one can be run again.
    if (type === TASK) return null;
    const by =
      change.replacePaths.length > 0 ? ` because of ${change.replacePaths.join(", ")}` : "";
    if (state !== null) return lost("replace-stateful", `made anew${by}, without ${state}`);
    return say("replace", `made anew${by}: for a while there is none, or there are two`);
  }
  if (actions.includes("forget"))
    return say("delete", "Terraform forgets it and leaves it running");
  if (!actions.includes("delete")) return null;
  if (state !== null) return lost("delete-stateful", `takes with it ${state}`);
  if (ALARM.test(type)) return say("alarm", "nobody is told of this any more");
  return say("delete", "goes");
}

function written(change: PlannedChange): Classified {
  const { type, actions, leaves } = change;
  if (isQuiet(change)) return say("other", change.importing ? "taken over as it is" : "stays");
  const shorter = actions.includes("create") ? null : shorterRetention(change);
  if (shorter !== null) return lost("retention-shorter", shorter);
  if (type === TASK && isReplaced(change)) return revision(change);
  if (POWER.test(type)) return say("power", "who may do or reach what");
  if (actions.includes("create")) return say("create", "new");
  if (leaves.some(({ path }) => POWER_PATHS.test(path)))
    return say("power", "who may do or reach what");
  if (NETWORK.test(type)) return say("network", "how it is reached");
  if (leaves.some(({ path }) => CAPACITY.test(path)))
    return say("capacity", "how much there is of it");
  if (ALARM.test(type)) return say("alarm", "what is told, and when");
  if (type === "aws_ecs_service" && leaves.some(({ path }) => path === "task_definition"))
    return say("deployment", "another revision runs");
  return say("other", "in place");
}

function revision({ leaves }: PlannedChange): Classified {
  const isPower = leaves.some(({ path }) => /^(task|execution)_role_arn$/.test(path));
  if (isPower) return say("power", "a new revision with another role");
  const isSize = leaves.some(({ path }) => CAPACITY.test(path));
  return isSize
    ? say("capacity", "a new revision of another size")
    : say("deployment", "a new revision");
}

function say(name: ChangeClass, why: string): Classified {
  return { class: name, why, irreversible: false };
}

function lost(name: ChangeClass, why: string): Classified {
  return { class: name, why, irreversible: true };
}
