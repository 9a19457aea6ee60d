/**
 * The steps of a deployment that move something: snapshot, revisions, schema, services. Each finds what it did before,
 * so that whoever goes on after a crash does nothing twice.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { ActContext, Answer, PlannedContext, Step } from "../define.js";
import { patiently } from "./patient.js";
import {
  moveBack,
  registerImage,
  registerMigration,
  revisionWithImage,
  type ServiceBefore,
  setRevision,
} from "./service-move.js";
import { servicesNamed } from "./service-place.js";
import { expectStable, shortName, waitTask } from "./wait.js";

/** What the steps need of the parameters. */
export type DeployParams = {
  /** The commit: 40 hexadecimal digits. */
  tag: string;
  /** `all`, or names with commas. */
  services: string;
  migrate: boolean;
};

export interface DeployFacts {
  /** What each service ran when this was planned. */
  readonly services: Readonly<Record<string, ServiceBefore>>;
  /** All queues were paused before. */
  readonly wasPaused: boolean;
}

type Acting = ActContext<DeployParams>;
type Looking = PlannedContext<DeployParams>;

const SNAPSHOT_WITHIN_MS = 15 * MINUTE_MS;
const MIGRATION_WITHIN_MS = 15 * MINUTE_MS;
/** A task has two minutes to end, and workers go a few at a time. */
const SERVICE_WITHIN_MS = 15 * MINUTE_MS;
const LOOK_EVERY_MS = 5_000;
const SNAPSHOTS_MAX = 20;

export function deployFactsOf({ plan }: Pick<Looking, "plan">): DeployFacts {
  return plan.facts as unknown as DeployFacts;
}

/** In the order in which they are deployed. */
export function deployedNames({ aws, params }: Pick<Looking, "aws" | "params">): readonly string[] {
  return servicesNamed(aws.place(), params.services);
}

export function snapshotting(): Step<"V", DeployParams> {
  const isThere = async (context: Pick<Looking, "aws" | "runId" | "params" | "wait" | "say">) => {
    const all = await patiently(context, () => context.aws.snapshots(SNAPSHOTS_MAX));
    return all.some(({ id, status }) => id === snapshotOf(context) && status === "available");
  };
  return {
    name: "snapshot the database",
    repeat: { check: async (context) => ((await isThere(context)) ? "done" : "not-done") },
    timeoutMs: SNAPSHOT_WITHIN_MS,
    run: async (context) => {
      const id = snapshotOf(context);
      // One of this name that is being made is the one.
      await patiently(context, () => context.aws.createSnapshot({ id }));
      while (!(await isThere(context))) await context.wait(LOOK_EVERY_MS);
      return `${id} is there`;
    },
    undo: { never: "a snapshot hurts nobody: remove it when nobody needs it" },
  };
}

/** RDS takes letters, digits and single hyphens; a run's number may come again after a restore, with its commit it does not. */
function snapshotOf({ aws, runId, params }: Pick<Looking, "aws" | "runId" | "params">): string {
  return `${aws.place().databaseCluster}-${runId}-${params.tag.slice(0, 12)}`;
}

export function registering(): Step<"V", DeployParams> {
  return {
    name: "register the new revisions",
    repeat: {
      check: async (context) => {
        const found = await Promise.all(
          deployedNames(context).map((name) =>
            revisionWithImage(context, name, context.params.tag),
          ),
        );
        return found.includes(null) ? "not-done" : "done";
      },
    },
    run: async (context) => {
      const made: string[] = [];
      for (const name of deployedNames(context))
        made.push(shortName(await registerImage(context, name, context.params.tag)));
      return made.join(", ");
    },
    undo: {
      // Also of an update whose answer never came, which nothing else would take back.
      name: "bring back every service that still runs it",
      repeat: "safe",
      run: async (context) => {
        const all = Object.entries(deployFactsOf(context).services);
        for (const [name, { taskDefinition }] of all)
          await setRevision(context, name, taskDefinition);
        return `${all.map(([name]) => name).join(", ")} have the revision that they had`;
      },
    },
  };
}

export function migrating(): Step<"V", DeployParams> {
  return {
    name: "migrate the database",
    // The same key starts no second task, and migrations wait for each other.
    repeat: "safe",
    timeoutMs: MIGRATION_WITHIN_MS,
    run: async (context) =>
      context.params.migrate ? migrate(context) : "not asked for: the database stays as it is",
    undo: { never: "migrations fit the version before them: rollback-migration takes one back" },
  };
}

async function migrate(context: Acting): Promise<string> {
  const { params, aws, runId } = context;
  const taskDefinition = await registerMigration(context, params.tag);
  const command = ["db", "migrate"];
  // In the network of the workers, as a user of its own (HB-aws-24).
  const asked = { taskDefinition, command, service: "workers", key: `${runId}-migrate` };
  const { task } = await patiently(context, () => aws.runTask(asked));
  const ended = await waitTask(context, task);
  if (ended.exitCode === 0) return `${command.join(" ")} ended well in task ${task}`;
  throw fault.refused(
    "MIGRATION_TASK_FAILED",
    `task ${task} ended with ${ended.exitCode ?? "no exit code"}: ${ended.stoppedReason ?? "it says no reason"}`,
    { hint: `what it said is in /ecs/${aws.place().migrationFamily}` },
  );
}

export function updating(name: string): Step<"V", DeployParams> {
  return {
    name: `update ${name}`,
    repeat: {
      check: async ({ aws, params }) =>
        (await aws.service(name)).imageTag === params.tag ? "done" : "not-done",
    },
    run: async (context): Promise<Answer | string> => {
      const before = deployFactsOf(context).services[name];
      if (!before) return "not asked for";
      const taskDefinition = await registerImage(context, name, context.params.tag);
      await setRevision(context, name, taskDefinition);
      return {
        text: `revision ${before.revision} → ${shortName(taskDefinition)}`,
        value: taskDefinition,
      };
    },
    undo: {
      name: `bring ${name} back to the revision before`,
      repeat: "safe",
      run: (context) => bringBack(context, name),
    },
  };
}

async function bringBack(context: Acting, name: string): Promise<string> {
  const before = deployFactsOf(context).services[name];
  if (!before) return `${name} was not asked for`;
  try {
    return await moveBack(context, name, before);
  } catch (thrown) {
    // Nothing is taken back after what fails, and the queues must not stand still for it (BQ-op-25).
    await resumeQueues(context);
    throw thrown;
  }
}

export function settling(name: string): Step<"V", DeployParams> {
  return {
    name: `wait for ${name}`,
    repeat: "safe",
    looks: true,
    run: async (context) => {
      if (!deployFactsOf(context).services[name]) return "not asked for";
      // Not known after a crash: then the commit that it runs at last must do.
      const moved = context.resultOf(`update ${name}`);
      const wanted = typeof moved === "string" ? { taskDefinition: moved } : {};
      const text = await expectStable(context, name, { withinMs: SERVICE_WITHIN_MS, ...wanted });
      const { imageTag } = await patiently(context, () => context.aws.service(name));
      if (imageTag === context.params.tag) return text;
      throw fault.refused("SERVICE_WENT_BACK", `${name} runs ${imageTag ?? "another image"} again`);
    },
    undo: { never: "it only looked" },
  };
}

/** Unless they were paused before. */
export async function resumeQueues(context: Acting): Promise<string> {
  if (deployFactsOf(context).wasPaused) return "they were paused before: left paused";
  await context.runtime.resumeQueue({ kind: "all", reason: `${context.runId} is through` });
  return "all queues go on";
}
