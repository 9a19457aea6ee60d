/**
 * Whether what was deployed works: services, one commit, heartbeat, queues, errors, what the API answers, and the alarms of
 * CloudWatch (RB-07, BQ-op-26, BQ-api-09, HB-cli-14, HB-cli-15).
 */
import { MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { judgeLooks, lookAtDeployment } from "../src/runbook/aws/deployment-look.js";
import { lookFromOutside } from "../src/runbook/aws/outside-look.js";
import { READ_ALARMS, READ_SERVICES, READ_SIGNS_OF_LIFE } from "../src/runbook/aws/permissions.js";
import { servicesNamed } from "../src/runbook/aws/service-place.js";
import { DurationText, defineRunbook, type PlannedContext, Type } from "../src/runbook/define.js";

type Params = { tag?: string; services: string; window: string; errors: number };
type Context = Pick<
  PlannedContext<Params>,
  "aws" | "runtime" | "system" | "params" | "now" | "signal"
>;

const WINDOW_MAX_MS = 24 * 60 * MINUTE_MS;

export default defineRunbook({
  name: "post-deploy-verify",
  aliases: ["verify-deploy"],
  title: "Looks whether what was deployed works, and changes nothing",
  danger: "R",
  params: Type.Object(
    {
      tag: Type.Optional(
        Type.String({
          pattern: "^[0-9a-f]{40}$",
          description: "the commit that is to run; without it, the same everywhere",
        }),
      ),
      services: Type.String({
        pattern: "^(all|[a-z]{2,30}(,[a-z]{2,30})*)$",
        default: "all",
        description: "all, or names with commas such as workers,api",
      }),
      window: Type.Unsafe<string>({
        ...{ ...DurationText, default: "10m" },
        description: "of logs in which errors are counted, between 1m and 24h",
      }),
      errors: Type.Integer({
        ...{ minimum: 0, maximum: 100_000, default: 20 },
        description: "lines of errors within the window that are no reason to worry",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["tag", "services"],
  timeoutMs: 10 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    aws: [...READ_SERVICES, ...READ_SIGNS_OF_LIFE, ...READ_ALARMS],
  },
  guide:
    "After a deployment, after a rollback, and whenever somebody asks whether it is us. The paths that the API must answer with 200 stand in monitoring.yaml (`afterDeployment`). What is still on its way gets five minutes. When it fails: /algobrain rollback-deployment SERVICE.",
  plan: async ({ params, aws }) => {
    const windowMs = parseDuration(params.window) ?? 0;
    if (windowMs < MINUTE_MS || windowMs > WINDOW_MAX_MS)
      throw fault.refused("WINDOW_WRONG", `found ${params.window}, expected between 1m and 24h`);
    const names = servicesNamed(aws.place(), params.services);
    return {
      text: `looks at ${names.join(", ")}, at ${params.window} of logs, at what the API answers, and at ${aws.place().alarms.length} alarms`,
      changes: [],
    };
  },
  steps: [
    {
      name: "look",
      repeat: "safe",
      run: async (context) => {
        const looks = await looksOf(context);
        const bad = looks.filter(({ state }) => state !== "passed").length;
        return {
          text: `${looks.length} looks: ${bad} are not as they should be`,
          table: {
            columns: ["what", "is", "found"],
            rows: looks.map(({ what, state, found }) => [what, state, found]),
          },
        };
      },
    },
  ],
  verify: {
    withinMs: () => 5 * MINUTE_MS,
    everyMs: 10_000,
    check: async (context) => {
      const { state, found } = judgeLooks(await looksOf(context));
      return { state, text: found };
    },
  },
  next: () => "/algobrain rollback-deployment api",
});

async function looksOf(context: Context) {
  const { params, aws, now } = context;
  const { tag, errors } = params;
  const [inside, outside] = await Promise.all([
    lookAtDeployment(context, {
      ...{ services: servicesNamed(aws.place(), params.services), tag, errorsMax: errors },
      since: new Date(now().getTime() - (parseDuration(params.window) ?? 0)),
    }),
    lookFromOutside(context),
  ]);
  return [...inside, ...outside];
}
