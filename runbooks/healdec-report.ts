/** What the healing engine did lately and whether it helped, in plain language (RB-45, HB-op-15, HB-sql-03). */
import { parseDuration } from "../src/base/duration.js";
import { DurationText, defineRunbook, Type } from "../src/runbook/define.js";

export default defineRunbook({
  name: "healdec-report",
  aliases: ["healdec", "healing"],
  title: "Reads the healing actions of the last hour in plain language",
  danger: "R",
  params: Type.Object(
    {
      window: Type.Unsafe<string>({ ...DurationText, default: "1h" }),
      limit: Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 20,
        description: "a number of rows from 1 to 100",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["window", "limit"],
  timeoutMs: 30_000,
  touches: { database: ["jobs:read"] },
  guide:
    "Use it to see whether the platform helps itself: many retries that did not help mean a cause that stands. Look at one of its jobs with inspect-job.",
  plan: async ({ params }) => ({
    text: `read the healing log of the last ${params.window}`,
    changes: [],
  }),
  steps: [
    {
      name: "read the healing log",
      repeat: "safe",
      run: async ({ params, runtime }) => {
        const sinceMs = parseDuration(params.window) ?? 0;
        const actions = await runtime.healing({ sinceMs, limit: params.limit });
        if (actions.length === 0) return `nothing needed healing in the last ${params.window}`;
        const worked = actions.filter(({ success }) => success === true).length;
        const open = actions.filter(({ success }) => success === null).length;
        return {
          text: `${actions.length} healing actions in the last ${params.window}: ${worked} worked, ${actions.length - worked - open} did not help, ${open} not yet known`,
          table: {
            columns: ["when", "job", "kind", "failure", "action", "helped", "error"],
            rows: actions.map((it) => [
              it.at.toISOString(),
              it.jobId,
              it.kind ?? "(gone)",
              it.failureType,
              `${it.strategy}, attempt ${it.attempt}`,
              it.success === null ? "not yet known" : it.success ? "yes" : "no",
              (it.error ?? "").slice(0, 80),
            ]),
          },
        };
      },
    },
  ],
});
