/** Another token of the cache: both are accepted while its readers move over (RB-101, HB-sec-08, X-32). */
import { formatDuration, MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { patiently } from "../src/runbook/aws/patient.js";
import { READ_CACHE, READ_SERVICES, UPDATE_SERVICES } from "../src/runbook/aws/permissions.js";
import {
  isPut,
  judgingRotation,
  planRotation,
  promoting,
  putPending,
  readingBefore,
  rotating,
  rotationFacts,
  shortId,
} from "../src/runbook/aws/rotation.js";
import {
  judgeReaders,
  ROTATION_TARGETS_MAX,
  restarting,
  rotationLocks,
} from "../src/runbook/aws/secret-readers.js";
import {
  type ActContext,
  defineRunbook,
  type PlannedContext,
  Type,
} from "../src/runbook/define.js";

type Params = object;

const SECRET = "redis-password";
const NO_WAY_BACK = "see that all readers have the new token";
/** ElastiCache takes minutes to change a token (its user guide, "Modifying the AUTH token"). */
const CHANGED_WITHIN_MS = 15 * MINUTE_MS;
const LOOK_EVERY_MS = 10_000;

export default defineRunbook({
  name: "rotate-redis-password",
  title:
    "Gives the cache a new token beside the old one, moves the services over, and drops the old one",
  danger: "V",
  params: Type.Object({}, { additionalProperties: false }),
  locks: () => [...rotationLocks(SECRET), "cache"],
  targetsMax: ROTATION_TARGETS_MAX + 1,
  timeoutMs: 55 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    aws: [
      ...READ_SERVICES,
      ...UPDATE_SERVICES,
      ...READ_CACHE,
      ...rotating(SECRET),
      {
        actions: ["elasticache:ModifyReplicationGroup"],
        resources: ["arn:aws:elasticache:{region}:{account}:replicationgroup:{cluster}*"],
      },
    ],
  },
  guide:
    "What is in the cache stays. Once all services have the new token, the old one is dropped, and from then on there is no way back but another rotation.",
  plan: async (context) => {
    const { status, authToken, pending, tokenChangedAt } = await context.aws.cacheGroup();
    if (!authToken)
      throw fault.refused("CACHE_WITHOUT_TOKEN", "the cache asks nobody for a token", {
        hint: "switch it on first: ElastiCache, Modify, access control by AUTH default user",
      });
    if (status !== "available" || pending)
      throw fault.refused(
        "CACHE_BUSY",
        `the cache is ${status}: expected available, with no change waiting`,
      );
    const plan = await planRotation(context, SECRET, {
      changes: ["a new token; the cache accepts both, then only the new one"],
    });
    return { ...plan, facts: { ...plan.facts, tokenChangedAt: timeOf(tokenChangedAt) } };
  },
  steps: [
    {
      name: "make a new token",
      repeat: {
        check: async (context) => ((await isPut(context, SECRET)) ? "done" : "not-done"),
      },
      run: async (context) => {
        const version = await putPending(context, SECRET, context.system.newSecret("redis"));
        return { text: `version ${shortId(version)} waits`, value: version };
      },
      undo: readingBefore<Params>(SECRET, async ({ resultOf }) =>
        resultOf(NO_WAY_BACK) === undefined
          ? null
          : "left as it is: the cache may take only the new token by now",
      ),
    },
    {
      name: "let the cache accept both",
      // A second ROTATE would push the token out that all services still have.
      repeat: {
        check: async (context) => {
          if (await isAsked(context)) return "done";
          return (await context.aws.cacheGroup()).pending ? "unknown" : "not-done";
        },
      },
      run: async (context) => {
        if (await isAsked(context)) return "it accepts both already";
        const value = await context.aws.readSecret({ name: pathOf(context), stage: "AWSPENDING" });
        await context.aws.setCacheToken({ value, strategy: "ROTATE" });
        return "asked for";
      },
      undo: { never: "the cache accepts both, which harms nobody" },
    },
    waiting("wait until it accepts both"),
    promoting(SECRET),
    ...restarting((context) => rotationFacts(context).readers),
    {
      name: NO_WAY_BACK,
      repeat: "safe",
      run: async (context) => {
        const { state, text } = await judgeReaders(context);
        if (state === "passed") return { text, value: true };
        throw fault.refused("READERS_NOT_MOVED", text, { hint: "look: /algobrain show-capacity" });
      },
      undo: { never: "it only looked" },
    },
    {
      name: "let the cache accept only the new one",
      repeat: "safe",
      run: async (context) => {
        const value = await context.aws.readSecret({ name: pathOf(context) });
        await patiently(context, () => context.aws.setCacheToken({ value, strategy: "SET" }));
        return "asked for";
      },
      undo: { never: "the cache has forgotten the old one" },
    },
    waiting("wait until it accepts only the new one"),
  ],
  verify: judgingRotation<Params>(SECRET, () => "the cache accepts no other token"),
  next: () => "/algobrain diagnose-db-connectivity",
});

function pathOf({ aws }: Pick<PlannedContext<Params>, "aws">): string {
  return aws.place().secretOf(SECRET);
}

/** The cache's token has been changed since this was planned: nobody else does so while the run holds it. */
async function isAsked({ aws, plan }: PlannedContext<Params>): Promise<boolean> {
  const { tokenChangedAt } = await aws.cacheGroup();
  return timeOf(tokenChangedAt) !== plan.facts?.tokenChangedAt;
}

function timeOf(at: Date | null): string {
  return at?.toISOString() ?? "never";
}

function waiting(name: string) {
  return {
    name,
    repeat: "safe" as const,
    run: async (context: ActContext<Params>): Promise<string> => {
      const deadline = context.now().getTime() + CHANGED_WITHIN_MS;
      for (;;) {
        const { status, pending } = await patiently(context, () => context.aws.cacheGroup());
        if (status === "available" && !pending) return "the cache is available";
        if (context.now().getTime() >= deadline)
          throw fault.refused(
            "CACHE_BUSY",
            `the cache is ${status} after ${formatDuration(CHANGED_WITHIN_MS)}, expected available`,
          );
        await context.wait(LOOK_EVERY_MS);
      }
    },
    undo: { never: "it only looked" },
  };
}
