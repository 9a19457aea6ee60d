/** Waiting for a service of ECS: whether what was asked of it stands, is still on its way, or has gone back. */
import { formatDuration } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { AwsReader, DeploymentView, ServiceView, TaskView } from "../aws-port.js";
import { isPassing, patiently } from "./patient.js";

/** Part of every context of a runbook. */
export interface Waiting {
  readonly aws: Pick<AwsReader, "service" | "tasks">;
  now(): Date;
  wait(ms: number): Promise<void>;
  say(line: string): void;
}

export interface Settled {
  /**
   * `stable`: one deployment, all its tasks run. `rolled-back`: its breaker went back to the revision before
   * (LB-aws-03). `failing`: it was given up, or its tasks stop. `late`: it is still on its way.
   */
  readonly state: "stable" | "rolled-back" | "failing" | "late";
  /** One sentence with the figures that decided. */
  readonly text: string;
}

export interface StableWish {
  /** Milliseconds. */
  readonly withinMs: number;
  /** ARN on which it is to come to rest; absent: whichever it runs. */
  readonly taskDefinition?: string;
}

const LOOK_EVERY_MS = 5_000;
/** What ECS answers right after a change may be what was before it ("Eventual consistency", ECS API reference). */
const OLD_ANSWER_MS = 30_000;
const REASONS_MAX = 3;

/** Looks until the service has come to rest or the time is over. A look that fails in passing is taken again. */
export async function waitStable(
  context: Waiting,
  service: string,
  { withinMs, taskDefinition }: StableWish,
): Promise<Settled> {
  const begun = context.now().getTime();
  let said = "";
  for (;;) {
    const found = await lookOnce(context, service, taskDefinition);
    const waitedMs = context.now().getTime() - begun;
    if (found.text !== said) context.say(found.text);
    said = found.text;
    const mayBeOld = found.state === "rolled-back" && waitedMs < OLD_ANSWER_MS;
    if (found.state === "stable") return found;
    if (found.state !== "late" && !mayBeOld) return explain(context, service, found);
    if (waitedMs >= withinMs) {
      const over = { ...found, text: `${found.text} after ${formatDuration(withinMs)}` };
      return explain(context, service, over);
    }
    await context.wait(LOOK_EVERY_MS);
  }
}

/** Answers with the sentence of a service at rest. Throws a refused Fault `SERVICE_NOT_STABLE` for every other end. */
export async function expectStable(
  context: Waiting,
  service: string,
  wish: StableWish,
): Promise<string> {
  const { state, text } = await waitStable(context, service, wish);
  if (state === "stable") return text;
  throw fault.refused("SERVICE_NOT_STABLE", `${service} is ${WORDS[state]}: ${text}`, {
    hint: `look at it: /algobrain show-capacity ${service}`,
  });
}

const WORDS = {
  "rolled-back": "not on the revision that was asked for, its breaker may have gone back",
  failing: "failing",
  late: "not at rest",
} as const;

async function lookOnce(
  { aws }: Waiting,
  service: string,
  taskDefinition: string | undefined,
): Promise<Settled> {
  try {
    return judgeService(await aws.service(service), taskDefinition);
  } catch (thrown) {
    if (!isPassing(thrown)) throw thrown;
    return { state: "late", text: `${service} could not be looked at: ${thrown.message}` };
  }
}

/** What one look says; `late` means that the next may say more. */
export function judgeService(service: ServiceView, wanted?: string): Settled {
  const { name, desired, running, pending, deployments } = service;
  const primary = deployments.find(({ status }) => status === "PRIMARY");
  const figures = `${running} of ${desired} tasks of ${name} run revision ${service.revision}`;
  if (wanted !== undefined && service.taskDefinition !== wanted)
    return { state: "rolled-back", text: `${figures}, not ${shortName(wanted)}` };
  if (primary?.rollout === "FAILED")
    return { state: "failing", text: `ECS gave the deployment up: ${figures}` };
  const isAlone = deployments.length === 1;
  const isDone = (primary?.rollout ?? "COMPLETED") === "COMPLETED";
  if (isAlone && isDone && running === desired && pending === 0)
    return { state: "stable", text: figures };
  return { state: "late", text: `${figures}${underWay(deployments, pending)}` };
}

function underWay(deployments: readonly DeploymentView[], pending: number): string {
  const failed = deployments.reduce((sum, it) => sum + it.failed, 0);
  return [
    pending > 0 ? `, ${pending} begin` : "",
    deployments.length > 1 ? `, ${deployments.length - 1} older deployments end` : "",
    failed > 0 ? `, ${failed} failed` : "",
  ].join("");
}

/** Adds why tasks stopped: what ECS forgets within the hour. */
async function explain(context: Waiting, service: string, found: Settled): Promise<Settled> {
  const reasons = await stoppedReasons(context, service);
  return reasons.length === 0
    ? found
    : { ...found, text: `${found.text}; stopped: ${reasons.join("; ")}` };
}

/** The newest reasons for which tasks of the service stopped, each once. */
export async function stoppedReasons(
  { aws }: Pick<Waiting, "aws">,
  service: string,
): Promise<readonly string[]> {
  const stopped = await aws.tasks(service, "STOPPED");
  const reasons = stopped.flatMap(({ stoppedReason }) => stoppedReason ?? []);
  return [...new Set(reasons)].slice(0, REASONS_MAX);
}

/** Until it has stopped. Throws a refused Fault `TASK_GONE` when ECS has forgotten it, and with it how it ended. */
export async function waitTask(
  context: Pick<Waiting, "wait" | "say"> & { readonly aws: Pick<AwsReader, "task"> },
  id: string,
): Promise<TaskView> {
  for (;;) {
    const task = await patiently(context, () => context.aws.task(id));
    if (!task)
      throw fault.refused("TASK_GONE", `ECS knows no task ${id} any more`, {
        hint: "read how it ended in its log group",
      });
    if (task.status === "STOPPED") return task;
    await context.wait(LOOK_EVERY_MS);
  }
}

/** `arn:aws:ecs:…:task-definition/algobrain-api:7` → `algobrain-api:7`. */
export function shortName(arn: string): string {
  return arn.slice(arn.lastIndexOf("/") + 1);
}
