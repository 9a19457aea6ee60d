/** New tasks of the same revision, one service at a time, with what the old ones left written down first (RB-66, HB-cli-40, X-69). */
import { formatAge, MINUTE_MS } from "../src/base/duration.js";
import { patiently } from "../src/runbook/aws/patient.js";
import {
  READ_SERVICES,
  READ_SIGNS_OF_LIFE,
  UPDATE_SERVICES,
} from "../src/runbook/aws/permissions.js";
import { SERVICE_PATTERN, serviceLocks, servicesNamed } from "../src/runbook/aws/service-place.js";
import { expectStable, stoppedReasons } from "../src/runbook/aws/wait.js";
import {
  type ActContext,
  defineRunbook,
  type PlannedContext,
  Type,
} from "../src/runbook/define.js";

type Params = { service: string; reason: string };

interface Facts {
  /** Deployment by service, when this was planned: another one is ours. */
  readonly deployments: Readonly<Record<string, string>>;
}

const SETTLE_WITHIN_MS = 15 * MINUTE_MS;
const LOOK_EVERY_MS = 5_000;
const HEARTBEAT_FRESH_MS = MINUTE_MS;
const EVIDENCE_MS = 30 * MINUTE_MS;
const EVIDENCE_LINES = 20;
const EVENTS_KEPT = 5;
/** Of a line, which may be a whole trace. */
const LINE_MAX = 500;
const LAST_ERRORS =
  'fields @timestamp, @message | filter level = "error" or level = "fatal" | sort @timestamp desc';

export default defineRunbook({
  name: "restart-service",
  aliases: ["restart"],
  title: "Replaces the tasks of a service by new ones of the same revision, without a gap",
  danger: "V",
  params: Type.Object(
    {
      service: Type.String({
        pattern: SERVICE_PATTERN,
        description: "e.g. api, or all",
      }),
      reason: Type.String({
        ...{ minLength: 1, maxLength: 500, default: "restarted by hand" },
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["service", "reason"],
  locks: ({ service }) => serviceLocks(service),
  targetsMax: 4,
  // Its session in AWS lasts an hour.
  timeoutMs: 50 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    aws: [...READ_SERVICES, ...READ_SIGNS_OF_LIFE, ...UPDATE_SERVICES],
  },
  // New tasks of the same revision are what was there before.
  undoOnFailure: "asked",
  guide:
    "Last, not first: it writes down tasks, events, errors and the heartbeat before it begins, and those are what helps. Running jobs get two minutes to end and are taken up again by others. How many tasks run stays as it is.",
  plan: async ({ params, aws }) => {
    const names = servicesNamed(aws.place(), params.service);
    const views = await Promise.all(names.map((name) => aws.service(name)));
    return {
      text: views
        .map((it) => `${it.name}: ${it.running} of ${it.desired} tasks run revision ${it.revision}`)
        .join("\n"),
      changes: views.map(({ name, desired }) => `replace ${desired} tasks of ${name}`),
      facts: {
        deployments: Object.fromEntries(
          views.map(({ name, deployments }) => [name, primaryOf(deployments)]),
        ),
      },
    };
  },
  steps: [
    {
      name: "write down what is there",
      repeat: "safe",
      run: async (context) => {
        const parts: string[] = [];
        for (const name of namesOf(context)) parts.push(await evidenceOf(context, name));
        return [...parts, await heartbeatOf(context), await queuesOf(context)].join("\n");
      },
      undo: { never: "it only looked" },
    },
    restarting("orchestrator"),
    settling("orchestrator"),
    restarting("workers"),
    settling("workers"),
    restarting("api"),
    settling("api"),
    restarting("executor"),
    settling("executor"),
  ],
  verify: {
    withinMs: () => 5 * MINUTE_MS,
    everyMs: LOOK_EVERY_MS,
    check: async (context) => {
      const beat = await context.aws.heartbeat("orchestrator");
      const ageMs = beat === null ? null : context.now().getTime() - beat.at.getTime();
      const text = `${namesOf(context).join(", ")} restarted; ${await heartbeatOf(context)}`;
      const isFresh = ageMs !== null && ageMs <= HEARTBEAT_FRESH_MS;
      return { state: isFresh ? "passed" : "waiting", text };
    },
  },
  next: ({ service }) =>
    service === "all" ? "/algobrain show-capacity" : `/algobrain rollback-deployment ${service}`,
});

type Context = PlannedContext<Params>;

function namesOf({ aws, params }: Pick<Context, "aws" | "params">): readonly string[] {
  return servicesNamed(aws.place(), params.service);
}

function primaryOf(deployments: readonly { readonly id: string; readonly status: string }[]) {
  return deployments.find(({ status }) => status === "PRIMARY")?.id ?? "";
}

/** Another deployment than when this was planned is ours. */
async function isRestarted({ aws, plan }: Context, name: string): Promise<boolean> {
  const { deployments } = plan.facts as unknown as Facts;
  return primaryOf((await aws.service(name)).deployments) !== deployments[name];
}

function restarting(name: string) {
  return {
    name: `restart ${name}`,
    repeat: {
      check: async (context: Context) =>
        (await isRestarted(context, name)) ? ("done" as const) : ("not-done" as const),
    },
    run: async (context: ActContext<Params>): Promise<string> => {
      if (!namesOf(context).includes(name)) return "not asked for";
      // An answer that was lost is found by what it left, so that nothing restarts twice.
      await patiently(context, async () => {
        if (await isRestarted(context, name)) return;
        await context.aws.updateService({ service: name, forceNew: true });
      });
      return `${name} gets new tasks: ${context.params.reason}`;
    },
    undo: { never: "what runs then is what ran before" },
  };
}

function settling(name: string) {
  return {
    name: `wait for ${name}`,
    repeat: "safe" as const,
    timeoutMs: SETTLE_WITHIN_MS,
    run: async (context: ActContext<Params>): Promise<string> => {
      if (!namesOf(context).includes(name)) return "not asked for";
      // What ECS answers right after a change may be what was before it, and that is at rest.
      while (!(await patiently(context, () => isRestarted(context, name))))
        await context.wait(LOOK_EVERY_MS);
      return expectStable(context, name, { withinMs: SETTLE_WITHIN_MS });
    },
    undo: { never: "it only looked" },
  };
}

/** ECS forgets stopped tasks within the hour, and a restart makes many. */
async function evidenceOf(context: Context, name: string): Promise<string> {
  const { aws, now } = context;
  const to = now();
  const [service, tasks, reasons, log] = await Promise.all([
    aws.service(name),
    aws.tasks(name),
    stoppedReasons(context, name),
    aws.logQuery({
      groups: [aws.place().services[name]?.logGroup ?? ""],
      ...{ query: LAST_ERRORS, from: new Date(to.getTime() - EVIDENCE_MS), to },
      limit: EVIDENCE_LINES,
    }),
  ]);
  const ages = tasks.map(({ startedAt }) =>
    startedAt === null ? "begins" : formatAge(to.getTime() - startedAt.getTime()),
  );
  return [
    `${name}: ${tasks.length} tasks, up for ${[...new Set(ages)].slice(0, EVENTS_KEPT).join(", ") || "–"}`,
    ...reasons.map((reason) => `${name} stopped: ${reason}`),
    ...service.events.slice(0, EVENTS_KEPT).map(({ text }) => `${name}: ${text}`),
    ...log.rows.map(
      (row) =>
        `${name} said: ${row["@timestamp"] ?? ""} ${(row["@message"] ?? "").slice(0, LINE_MAX)}`,
    ),
  ].join("\n");
}

async function heartbeatOf({ aws, now }: Pick<Context, "aws" | "now">): Promise<string> {
  const beat = await aws.heartbeat("orchestrator");
  if (beat === null) return "the orchestrator has never beaten";
  const { at, leader } = beat;
  return `the orchestrator worked ${formatAge(Math.max(now().getTime() - at.getTime(), 0))} ago${leader === null ? "" : ` (${leader})`}`;
}

async function queuesOf({ runtime }: Pick<Context, "runtime">): Promise<string> {
  const queues = await runtime.queues();
  const sum = (of: "pending" | "running") => queues.reduce((total, it) => total + it[of], 0);
  return `${sum("pending")} jobs wait, ${sum("running")} run on ${await runtime.liveWorkers()} worker processes`;
}
