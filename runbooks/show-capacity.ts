/** How many tasks each service wants, has and may have (RB-55, HB-op-25, HB-cli-21). */

import { READ_LIMITS, READ_SERVICES } from "../src/runbook/aws/permissions.js";
import { SERVICE_PATTERN, servicePlaceOf } from "../src/runbook/aws/service-place.js";
import { defineRunbook, type ReadContext, Type } from "../src/runbook/define.js";

type Params = { service?: string };
type Aws = ReadContext<Params>["aws"];

interface Capacity {
  readonly row: readonly string[];
  readonly sentence: string;
  /** What somebody should know of it, in sentences. */
  readonly notes: readonly string[];
}

export default defineRunbook({
  name: "show-capacity",
  aliases: ["capacity"],
  title: "Desired, running and pending tasks of each service, beside what it may have",
  danger: "R",
  params: Type.Object(
    {
      service: Type.Optional(
        Type.String({ pattern: SERVICE_PATTERN, description: "e.g. workers; default: all" }),
      ),
    },
    { additionalProperties: false },
  ),
  positional: ["service"],
  timeoutMs: 60_000,
  touches: {
    database: ["jobs:read", "system:temporary"],
    aws: [...READ_SERVICES, ...READ_LIMITS],
  },
  guide:
    "The bounds stand in policies/ (scaling); where autoscaling has others, or is switched off, the last lines say so. What a runbook set for a while is named with its end.",
  plan: async ({ params, aws }) => ({
    text: `looks at ${namesOf(aws, params).join(", ")}`,
    changes: [],
  }),
  steps: [
    {
      name: "look",
      repeat: "safe",
      run: async ({ params, aws, system }) => {
        const [all, changes] = await Promise.all([
          Promise.all(namesOf(aws, params).map((name) => lookAt(aws, name))),
          system.temporaryChanges(),
        ]);
        const held = changes.map(
          ({ target, attribute, after, owner, expiresAt }) =>
            `${attribute} of ${target} is ${JSON.stringify(after)} until ${expiresAt.toISOString()}, by ${owner}`,
        );
        const [only] = all;
        const summary =
          all.length === 1 && only ? only.sentence : all.map((it) => it.sentence).join("; ");
        return {
          text: [summary, ...all.flatMap(({ notes }) => notes), ...held].join("\n"),
          table: {
            columns: ["service", "desired", "running", "pending", "may have", "revision", "commit"],
            rows: all.map(({ row }) => [...row]),
          },
        };
      },
    },
  ],
});

function namesOf(aws: Aws, { service }: Params): readonly string[] {
  const place = aws.place();
  return service === undefined
    ? Object.keys(place.services)
    : [servicePlaceOf(place, service).name];
}

async function lookAt(aws: Aws, name: string): Promise<Capacity> {
  const { min, max } = servicePlaceOf(aws.place(), name);
  const [service, limits] = await Promise.all([aws.service(name), aws.limits(name)]);
  const { desired, running, pending, revision, imageTag } = service;
  const isOther = limits !== null && (limits.min !== min || limits.max !== max);
  return {
    row: [
      ...[name, String(desired), String(running), String(pending)],
      min === max ? `${min}` : `${min}–${max}`,
      ...[String(revision), imageTag?.slice(0, 12) ?? "–"],
    ],
    sentence: `${name}: ${desired} desired, ${running} running, ${pending} pending`,
    notes: [
      ...(isOther
        ? [`${name}: the policy says ${min}–${max}, autoscaling ${limits.min}–${limits.max}`]
        : []),
      ...(limits?.suspended ? [`${name}: autoscaling is switched off`] : []),
      ...(limits === null && max > min ? [`${name}: nothing scales it (X-11)`] : []),
    ],
  };
}
