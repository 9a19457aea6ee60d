/** A numbered incident with its times, so that everybody speaks of the same thing (RB-95, AM-op-16, AM-slo-07). */
import { formatAge, parseDuration } from "../src/base/duration.js";
import { DurationText, defineRunbook, SEVERITIES, Type } from "../src/runbook/define.js";

export default defineRunbook({
  name: "incident-open",
  aliases: ["incident"],
  title: "Opens a numbered incident with a severity, and starts its clock",
  danger: "V",
  params: Type.Object(
    {
      severity: Type.Enum([...SEVERITIES], { description: "sev1 (critical) to sev4 (low)" }),
      title: Type.String({
        minLength: 3,
        maxLength: 200,
        description: "what is wrong, in 3 to 200 characters",
      }),
      since: Type.Unsafe<string>({
        ...DurationText,
        default: "0s",
        description: "how long ago the trouble began, such as 20m",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["severity", "title"],
  timeoutMs: 30_000,
  touches: { database: ["jobs:read", "incidents:write"] },
  guide:
    "When people are hurt or may be, and a page has not opened one already (see the open ones in the plan). Until somebody acknowledges it, the escalation goes on.",
  plan: async ({ params, system }) => {
    const open = await system.openIncidents();
    const others = open.slice(0, 5).map(({ number, title }) => `${number} ${title}`);
    return {
      text: others.length === 0 ? "no incident is open" : `open already: ${others.join("; ")}`,
      changes: [`open an incident of ${params.severity}: ${params.title}`],
    };
  },
  steps: [
    {
      name: "open",
      // The run is its cause, so a second time finds the first.
      repeat: "safe",
      run: async ({ params, system, runId, now }) => {
        const startedAt = new Date(now().getTime() - (parseDuration(params.since) ?? 0));
        const { severity, title } = params;
        const number = await system.openIncident({ key: runId, title, severity, startedAt });
        return { text: `${number} is open`, value: { number } };
      },
      undo: {
        name: "close it as opened by mistake",
        repeat: "safe",
        run: async ({ system, runId, resultOf, now }) => {
          const { number } = resultOf("open") as { number: string };
          const said = `Opened by mistake, taken back by ${runId}.`;
          const findings = { symptoms: said, rootCause: said, resolution: said, prevention: said };
          const found = await system.incident(number);
          if (found?.status === "closed") return `${number} was closed already`;
          await system.closeIncident({ number, findings, resolvedAt: now() });
          return `${number} is closed: opened by mistake`;
        },
      },
    },
  ],
  verify: {
    withinMs: () => 5_000,
    everyMs: 500,
    check: async ({ system, resultOf, now }) => {
      const { number } = resultOf("open") as { number: string };
      const found = await system.incident(number);
      if (found === null) return { state: "failed", text: `${number} is not there` };
      const left = found.respondBy.getTime() - now().getTime();
      return {
        state: "passed",
        text: `${number} (${found.severity}) is open; somebody answers within ${formatAge(left)}`,
      };
    },
  },
  next: () => "/algobrain incident-close",
});
