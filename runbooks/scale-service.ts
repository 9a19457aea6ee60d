/** Another number of tasks for a while, within what the policy allows (RB-56, HB-op-26, HB-cli-22, X-12, X-59). */
import { DAY_MS, MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { patiently } from "../src/runbook/aws/patient.js";
import { READ_LIMITS, READ_SERVICES, UPDATE_SERVICES } from "../src/runbook/aws/permissions.js";
import { SERVICE_PATTERN, servicePlaceOf } from "../src/runbook/aws/service-place.js";
import { stoppedReasons } from "../src/runbook/aws/wait.js";
import {
  DurationText,
  defineRunbook,
  type PlannedContext,
  type ReadContext,
  Type,
} from "../src/runbook/define.js";

type Params = { service: string; count: number; for: string; reason: string };

interface Facts {
  readonly before: number;
}

const NOTE = "note it as a temporary change";
const RUNNING_WITHIN_MS = 15 * MINUTE_MS;

export default defineRunbook({
  name: "scale-service",
  aliases: ["scale"],
  title: "Sets how many tasks a service has, for a while and within what the policy allows",
  danger: "V",
  params: Type.Object(
    {
      service: Type.String({ pattern: SERVICE_PATTERN, description: "e.g. workers" }),
      count: Type.Integer({ minimum: 0, maximum: 1_000, description: "tasks" }),
      for: Type.Unsafe<string>({
        ...{ ...DurationText, default: "2h" },
        description: "after which it is to be over, between 1m and 24h",
      }),
      reason: Type.String({
        ...{ minLength: 1, maxLength: 500, default: "scaled by hand" },
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["service", "count", "for", "reason"],
  locks: ({ service }) => [`service-${service}`],
  timeoutMs: 20 * MINUTE_MS,
  touches: {
    database: ["jobs:read", "system:temporary"],
    aws: [...READ_SERVICES, ...READ_LIMITS, ...UPDATE_SERVICES],
  },
  guide:
    "For good it is a pull request (scaling in policies/). Until its end a plan shows it as known drift, with you as its owner; then people are told. To have less work done, pause a queue instead: /algobrain pause-queue KIND.",
  plan: async (context) => {
    const { params, aws } = context;
    const forMs = parseDuration(params.for) ?? 0;
    if (forMs < MINUTE_MS || forMs > DAY_MS)
      throw fault.refused("EXPIRY_WRONG", `found ${params.for}, expected between 1m and 24h`, {
        hint: "for longer it is a pull request: algobrain policy change",
      });
    checkBounds(context);
    const { name } = servicePlaceOf(aws.place(), params.service);
    const [service, limits] = await Promise.all([aws.service(name), aws.limits(name)]);
    if (service.deployments.length > 1)
      throw fault.refused("DEPLOYMENT_UNDER_WAY", `${name} is being deployed`, {
        hint: `wait for it: /algobrain show-capacity ${name}`,
      });
    if (limits && (params.count < limits.min || params.count > limits.max))
      throw fault.refused(
        "COUNT_OUT_OF_LIMITS",
        `autoscaling holds ${name} between ${limits.min} and ${limits.max}: ${params.count} would not stay`,
        { hint: "the policy says otherwise: apply it first" },
      );
    return {
      text: [
        `${name} wants ${service.desired} tasks, ${service.running} run`,
        ...(limits && !limits.suspended
          ? [
              `autoscaling goes on between ${limits.min} and ${limits.max} by ${limits.policies.join(", ") || "no policy"}: when its metric says so it sets another number before the time is over`,
            ]
          : []),
      ].join("\n"),
      changes:
        service.desired === params.count
          ? []
          : [`${name}: ${service.desired} → ${params.count} tasks for ${params.for}`],
      facts: { before: service.desired },
    };
  },
  steps: [
    {
      // Before the number moves: what nobody has noted would be drift that nobody knows.
      name: NOTE,
      repeat: "safe",
      run: async (context) => {
        const { params, aws, system, runId } = context;
        const { before } = factsOf(context);
        if (before === params.count) return "nothing changes";
        const id = await system.noteTemporary({
          ...{ environment: aws.place().environment, target: targetOf(params) },
          ...{ attribute: "desired_count", before, after: params.count, runId },
          ...{ reason: params.reason, forMs: parseDuration(params.for) ?? 0 },
        });
        return { text: `noted as number ${id}, until ${params.for} from now`, value: id };
      },
      undo: {
        name: "end the note",
        repeat: "safe",
        run: async ({ system, params }) => {
          // By what it says: whoever takes back is another run than the one that noted it.
          const own = (await system.temporaryChanges()).filter(
            ({ target, after }) => target === targetOf(params) && after === params.count,
          );
          for (const { id } of own) await system.endTemporary({ id, reason: "taken back" });
          return own.length > 0 ? "it is over" : "it was over already";
        },
      },
    },
    {
      name: "set the number of tasks",
      repeat: {
        check: async ({ aws, params }) =>
          (await aws.service(params.service)).desired === params.count ? "done" : "not-done",
      },
      run: async (context) => {
        const { aws, params } = context;
        if ((await aws.service(params.service)).desired === params.count)
          return `${params.service} wants ${params.count} tasks already`;
        const { service, count: desired } = params;
        await patiently(context, () => aws.updateService({ service, desired }));
        return `${params.service} wants ${params.count} tasks now`;
      },
      undo: {
        name: "set the number that it was, unless something else moved it since",
        repeat: "safe",
        run: async (context) => {
          const { aws, params } = context;
          const { before } = factsOf(context);
          const { desired } = await aws.service(params.service);
          if (desired !== params.count)
            return `${params.service} wants ${desired} tasks by now, not ${params.count}: left so`;
          await aws.updateService({ service: params.service, desired: before });
          return `${params.service} wants ${before} tasks again`;
        },
      },
    },
  ],
  verify: {
    withinMs: () => RUNNING_WITHIN_MS,
    everyMs: 5_000,
    check: async ({ aws, params }) => {
      const { name, desired, running, pending } = await aws.service(params.service);
      const text = `${running} of ${desired} tasks of ${name} run, ${pending} begin`;
      if (desired !== params.count)
        return { state: "failed", text: `${text}: autoscaling or somebody else set ${desired}` };
      if (running === desired && pending === 0) return { state: "passed", text };
      const reasons = await stoppedReasons({ aws }, name);
      const stopped = reasons.length > 0 ? `; stopped: ${reasons.join("; ")}` : "";
      return { state: "waiting", text: `${text}${stopped}` };
    },
  },
  next: ({ service }) => `/algobrain show-capacity ${service}`,
});

function factsOf({ plan }: Pick<PlannedContext<Params>, "plan">): Facts {
  return plan.facts as unknown as Facts;
}

/** As plans find it again: see `infra drift`. */
function targetOf({ service }: Params): string {
  return `ecs service ${service}`;
}

/** Throws a refused Fault `COUNT_OUT_OF_BOUNDS` that says both ways which there are (X-12). */
function checkBounds({ params, aws }: Pick<ReadContext<Params>, "params" | "aws">): void {
  const { service, count } = params;
  const { min, max } = servicePlaceOf(aws.place(), service);
  if (count >= min && count <= max) return;
  const bound = count < min ? "min" : "max";
  const found = `found ${count}, expected ${min === max ? `${min}` : `${min} to ${max}`}: what the policy allows ${service}`;
  const less = "to have less work done: /algobrain pause-queue KIND; for fewer tasks";
  throw fault.refused("COUNT_OUT_OF_BOUNDS", found, {
    hint: `${count < min ? less : "for more"}: algobrain policy change scaling.${service}.${bound} ${count} opens the pull request`,
  });
}
