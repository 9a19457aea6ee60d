/** The end of an incident: what was found, how long it lasted, and its log (RB-96, AM-inc-01, LB-slo-02, AM-pat-07). */
import { formatAge, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { DurationText, defineRunbook, Type } from "../src/runbook/define.js";

const finding = (description: string) =>
  Type.String({ minLength: 3, maxLength: 2_000, description });

export default defineRunbook({
  name: "incident-close",
  aliases: ["incident-resolve"],
  title: "Closes an incident with what was found, and files its log",
  danger: "V",
  params: Type.Object(
    {
      number: Type.String({
        pattern: "^INC-[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{3,}$",
        description: "a number such as INC-2026-11-22-001",
      }),
      symptoms: finding("what people saw"),
      cause: finding("why it happened"),
      resolution: finding("what ended it"),
      prevention: finding("what will keep it from coming back"),
      ago: Type.Unsafe<string>({
        ...DurationText,
        default: "0s",
        description: "how long ago it was over, such as 20m",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["number"],
  locks: ({ number }) => [number],
  timeoutMs: 30_000,
  touches: { database: ["jobs:read", "incidents:write"] },
  guide:
    "When the trouble is over and somebody knows why. Its timeline and a draft for the review are at `GET /api/v1/incidents/:number/post-mortem`; the review counts as held when a note of the incident begins with `post-mortem:`.",
  plan: async ({ params, system, now }) => {
    const found = await system.incident(params.number);
    if (found === null)
      throw fault.refused("INCIDENT_UNKNOWN", `there is no incident "${params.number}"`, {
        hint: await openOnes(system),
      });
    if (found.status === "closed")
      throw fault.refused("INCIDENT_CLOSED", `${params.number} is closed already`);
    const resolvedAt = now().getTime() - (parseDuration(params.ago) ?? 0);
    if (resolvedAt < found.startedAt.getTime())
      throw fault.refused(
        "INCIDENT_NOT_BEGUN",
        `ago: found ${params.ago}, but ${params.number} began at ${found.startedAt.toISOString()}`,
      );
    return {
      text: `${found.number} (${found.severity}, ${found.title}) was opened by ${found.openedBy}`,
      changes: [`close ${found.number}`, "file its log"],
    };
  },
  steps: [
    {
      name: "close",
      repeat: {
        check: async ({ params, system }) =>
          (await system.incident(params.number))?.status === "closed" ? "done" : "not-done",
      },
      run: async ({ params, system, now }) => {
        const { number, symptoms, cause: rootCause, resolution, prevention, ago } = params;
        const resolvedAt = new Date(now().getTime() - (parseDuration(ago) ?? 0));
        const findings = { symptoms, rootCause, resolution, prevention };
        await system.closeIncident({ number, findings, resolvedAt });
        return `${number} is closed`;
      },
      undo: {
        name: "open it again",
        repeat: "safe",
        run: async ({ params, system }) =>
          (await system.reopenIncident({ number: params.number }))
            ? `${params.number} is open again`
            : `${params.number} was not closed, or its cause has an incident of its own by now`,
      },
    },
    {
      name: "file the log",
      repeat: "safe",
      run: async ({ params, system }) => {
        const path = await system.keepIncidentLog({ number: params.number });
        return `the log is in ${path}`;
      },
      undo: { never: "a log of what was found harms nobody; the next one replaces it" },
    },
  ],
  verify: {
    withinMs: () => 5_000,
    everyMs: 500,
    check: async ({ params, system }) => {
      const found = await system.incident(params.number);
      if (found?.status !== "closed" || found.resolvedAt === null)
        return { state: "failed", text: `${params.number} is not closed after all` };
      const lasted = formatAge(found.resolvedAt.getTime() - found.startedAt.getTime());
      const review =
        found.reviewBy === null ? "" : `; its review is due by ${found.reviewBy.toISOString()}`;
      return { state: "passed", text: `${params.number} is closed, it lasted ${lasted}${review}` };
    },
  },
});

async function openOnes(system: {
  openIncidents(): Promise<readonly { readonly number: string }[]>;
}): Promise<string> {
  const open = await system.openIncidents();
  return open.length === 0
    ? "none is open"
    : `open are ${open.map(({ number }) => number).join(", ")}`;
}
