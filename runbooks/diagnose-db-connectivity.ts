/**
 * Why a service does not reach its database or its cache: security groups, their own state, and a look from a task
 * beside the service, with what that task has in its own environment (RB-19, HB-op-42, HB-cli-36, HB-cli-37, AM-sql-01,
 * HB-pat-07, X-30).
 */
import { MINUTE_MS } from "../src/base/duration.js";
import { READ_CACHE, READ_DATABASE, READ_SERVICES } from "../src/runbook/aws/permissions.js";
import { lookAtRules, type ReachLook } from "../src/runbook/aws/reach-rules.js";
import { SERVICE_PATTERN, servicePlaceOf } from "../src/runbook/aws/service-place.js";
import { waitTask } from "../src/runbook/aws/wait.js";
import { type Answer, defineRunbook, type PlannedContext, Type } from "../src/runbook/define.js";

type Params = { service: string };
type Context = PlannedContext<Params>;

const RULES = "look at the security groups";
const STATES = "look at the database and the cache";
const PROBE = "look from a task";
const LINES_MAX = 20;
const LINES_WITHIN_MS = 15 * MINUTE_MS;
/** Lines are found by a query only some seconds after they were written. */
const LOOKS_AT_LINES = 6;
const LOOK_EVERY_MS = 10_000;

export default defineRunbook({
  name: "diagnose-db-connectivity",
  aliases: ["db-connectivity"],
  title: "Looks why a service does not reach its database or its cache, and changes nothing",
  danger: "R",
  params: Type.Object(
    {
      service: Type.String({
        ...{ pattern: SERVICE_PATTERN, default: "api" },
        description: "whose task looks, e.g. workers",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["service"],
  timeoutMs: 10 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    aws: [
      ...READ_SERVICES,
      ...READ_DATABASE,
      ...READ_CACHE,
      { actions: ["ec2:DescribeSecurityGroups"], resources: ["*"] },
      {
        actions: ["ecs:RunTask"],
        resources: ["arn:aws:ecs:{region}:{account}:task-definition/{system}-*"],
      },
      {
        actions: ["logs:StartQuery"],
        resources: ["arn:aws:logs:{region}:{account}:log-group:/ecs/{system}-*"],
      },
      { actions: ["logs:GetQueryResults", "logs:StopQuery"], resources: ["*"] },
    ],
  },
  guide:
    "The task runs the program of the service itself (`doctor --json`), with its secrets and in its network: no address and no password is typed or logged. It takes a minute or two to begin.",
  plan: async ({ params, aws }) => {
    const { name, family } = servicePlaceOf(aws.place(), params.service);
    return {
      text: `looks at rules and states, and from a task of ${family} beside ${name}`,
      changes: [],
    };
  },
  steps: [
    {
      name: RULES,
      repeat: "safe",
      run: async ({ aws }) => answerOf(lookAtRules(await aws.securityGroups())),
    },
    {
      name: STATES,
      repeat: "safe",
      run: async (context) => answerOf(await lookAtStates(context)),
    },
    {
      name: PROBE,
      repeat: "safe",
      run: async (context) => answerOf([await lookFromTask(context)]),
    },
  ],
  verify: {
    withinMs: () => 0,
    everyMs: 1_000,
    check: async ({ resultOf }) => {
      const bad = [RULES, STATES, PROBE].flatMap((step) => (resultOf(step) ?? []) as string[]);
      if (bad.length === 0) return { state: "passed", text: "the way is free, and a task goes it" };
      return { state: "failed", text: bad.join("; ") };
    },
  },
  next: () => "/algobrain diagnose-db-connections",
});

/** `value`: what is not as it should be, in sentences. */
function answerOf(looks: readonly ReachLook[]): Answer {
  const bad = looks.filter(({ isWell }) => !isWell).map(({ what, found }) => `${what}: ${found}`);
  return {
    text: bad.length === 0 ? looks.map(({ found }) => found).join("; ") : bad.join("; "),
    table: {
      columns: ["what", "is", "found"],
      rows: looks.map(({ what, found, isWell }) => [what, isWell ? "well" : "not well", found]),
    },
    value: bad,
  };
}

async function lookAtStates({ aws }: Context): Promise<readonly ReachLook[]> {
  const [database, cache] = await Promise.all([aws.databaseCluster(), aws.cacheGroup()]);
  const members = database.members.map(
    ({ id, writer, status }) => `${id} (${writer ? "writer" : "reader"}, its parameters ${status})`,
  );
  const hasWriter = database.members.some(({ writer }) => writer);
  return [
    {
      what: "database",
      found: [
        `the cluster is ${database.status}`,
        ...(hasWriter ? [] : ["it has no writer"]),
        ...members,
      ].join(", "),
      isWell: database.status === "available" && hasWriter,
    },
    {
      what: "cache",
      found: `the cache of ${cache.nodes} nodes is ${cache.status}${cache.pending ? ", a change waits" : ""}`,
      isWell: cache.status === "available",
    },
  ];
}

async function lookFromTask(context: Context): Promise<ReachLook> {
  const { aws, params, runId } = context;
  const { name } = servicePlaceOf(aws.place(), params.service);
  const { task } = await aws.probeTask({ service: name, key: `${runId} probe of ${name}` });
  context.say(`task ${task} begins`);
  const { exitCode, stoppedReason } = await waitTask(context, task);
  const what = `task beside ${name}`;
  if (exitCode === 0) return { what, found: "it reaches all that it needs", isWell: true };
  const lines = await linesOf(context, task);
  const ended =
    exitCode === null
      ? `it never ran: ${stoppedReason ?? "ECS says not why"}`
      : `it ended with ${exitCode}`;
  return { what, found: [ended, ...lines].join("\n"), isWell: false };
}

/** What the task said, redacted where it is written down; none when it cannot be found in time. */
async function linesOf(context: Context, task: string): Promise<readonly string[]> {
  const { aws, params, now, wait } = context;
  // It is put into the text of a query.
  if (!/^[\w-]{1,64}$/.test(task)) return [];
  const { logGroup } = servicePlaceOf(aws.place(), params.service);
  for (let looks = 1; ; looks += 1) {
    const to = now();
    const { rows } = await aws.logQuery({
      ...{ groups: [logGroup], from: new Date(to.getTime() - LINES_WITHIN_MS), to },
      query: `fields @message | filter @logStream like "${task}" | sort @timestamp asc`,
      limit: LINES_MAX,
    });
    if (rows.length > 0 || looks === LOOKS_AT_LINES)
      return rows.map((row) => row["@message"] ?? "");
    await wait(LOOK_EVERY_MS);
  }
}
