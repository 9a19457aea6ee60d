/**
 * What a deployment leaves between two applies: services that run a revision of their task which Terraform has not made.
 * Planned with the commit that runs, Terraform would make its own revision anew, with that image: no news to anybody.
 */
import type { KnownDrift } from "./known-drift.js";
import { isReplaced, type Leaf, type PlanDocument, type PlannedChange } from "./plan-document.js";

const TASK = "aws_ecs_task_definition";
const CONTAINERS = "container_definitions";

/** As stacks/service.ts calls them: `api-service` runs `api-task`. */
const SERVICE_END = /-service$/;

/** What AWS says of a revision once it is made: nothing that anybody writes. */
const OF_EACH_REVISION =
  /^(arn|arn_without_revision|enable_fault_injection|id|region|revision|volume\[\d+\]\.configure_at_launch)$/;

/** Of the image, and of what its process is told it is (stacks/container.ts). */
const IMAGE = /^container_definitions\[\d+\]\.image$/;
const COMMIT_VARIABLE = /^container_definitions\[\d+\]\.environment\[ALGOBRAIN_COMMIT\]$/;
const COMMIT_LENGTH = 40;

/** A task that would be made anew for nothing but the commit that runs: that of the plan. Anything more is a change. */
function isDeployedTask(
  { type, actions, leaves, replacePaths, reason }: PlannedChange,
  imageTag: string | null,
): boolean {
  if (type !== TASK || imageTag === null || !isReplaced({ actions })) return false;
  const isForContainers = replacePaths.every((path) => path === CONTAINERS);
  if (!isForContainers || reason !== "replace_because_cannot_update") return false;
  const images = leaves.filter(({ path }) => IMAGE.test(path));
  return images.length > 0 && leaves.every((leaf) => isOfDeployment(leaf, imageTag));
}

function isOfDeployment({ path, before, after }: Leaf, imageTag: string): boolean {
  if (OF_EACH_REVISION.test(path)) return after.kind === "unknown";
  if (IMAGE.test(path))
    return before.kind === "value" && after.kind === "value" && after.text === imageTag;
  // Its value is never shown; what is not as long as a commit is something else.
  return COMMIT_VARIABLE.test(path) && after.kind === "hidden" && after.length === COMMIT_LENGTH;
}

/** Tasks whose next revision would have the image that runs already, and the services that run it as a revision of their own. */
export function knownFromDeployments({ changes, imageTag }: PlanDocument): KnownDrift[] {
  const tasks = changes.filter((change) => isDeployedTask(change, imageTag));
  const services = changes.filter((change) => runsOther(change, tasks));
  return [
    ...tasks.map(({ address }) => deployed(address, "")),
    ...services.map(({ address }) => deployed(address, "task_definition")),
  ];
}

function deployed(address: string, attribute: string): KnownDrift {
  return {
    ...{ address, attribute, kind: "deployment", owner: "deployment", expires: null },
    reason: "a deployment registers its own revision of the task",
  };
}

/** Another task altogether is nobody's deployment. @param tasks that differ in the commit alone */
function runsOther(
  { type, name, leaves }: PlannedChange,
  tasks: readonly PlannedChange[],
): boolean {
  const leaf = leaves.find(({ path }) => path === "task_definition");
  if (type !== "aws_ecs_service" || leaf?.before.kind !== "value") return false;
  const running = familyOf(leaf.before.text);
  if (leaf.after.kind === "value") return familyOf(leaf.after.text) === running;
  // Not made yet: it is the task of the same name that would be.
  const task = tasks.find((one) => one.name === name.replace(SERVICE_END, "-task"));
  const arn = task?.leaves.find(({ path }) => path === "arn")?.before;
  return leaf.after.kind === "unknown" && arn?.kind === "value" && familyOf(arn.text) === running;
}

/** `algobrain-api:9` → `algobrain-api` */
function familyOf(revision: string): string {
  return revision.split(":")[0]!;
}
