/** An incident that nobody has answered in time is told to the next of the escalation, each step once. */
import { dueEscalation, type Incident } from "../../alert/incident.js";
import { formatAge } from "../../base/duration.js";
import type { EscalationStep, PolicySet } from "../../policy/policy.js";
import type { Database, Sql } from "../../store/database.js";
import {
  type LateIncident,
  noteEscalation,
  takeLateIncidents,
} from "../../store/incident-timers.js";
import type { RuntimeNotify } from "../runtime-word.js";
import type { Tick } from "../ticker.js";

const LOOK_EVERY_MS = 30_000;

export interface IncidentTimersDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  readonly notify: RuntimeNotify;
}

export function incidentTimersTick(deps: IncidentTimersDeps): Tick {
  return {
    name: "incident-timers",
    everyMs: LOOK_EVERY_MS,
    run: (now) =>
      deps.db.transaction(async (tx) => {
        for (const late of await takeLateIncidents(tx, now)) await escalate(tx, deps, late, now);
      }),
  };
}

/** What is told and that it was told are one commit: a restart in between tells nothing twice, and forgets nothing. */
async function escalate(
  tx: Sql,
  { policy, notify }: IncidentTimersDeps,
  { incident, told }: LateIncident,
  now: Date,
): Promise<void> {
  const steps = dueEscalation(incident, policy().routes.escalation, told, now);
  const last = steps.at(-1);
  if (last === undefined) return;
  // Of several that are due at once only the farthest is called: a message each would be noise.
  await notify(tx, wordOf(incident, last, told + steps.length, now));
  await noteEscalation(tx, incident.number, told + steps.length);
}

function wordOf(incident: Incident, step: EscalationStep, place: number, now: Date) {
  const { number, title, severity, openedAt, openedBy } = incident;
  const since = formatAge(now.getTime() - openedAt.getTime());
  return {
    audience: "critical",
    severity,
    key: `incident/${number}/${place}`,
    place: number,
    message: {
      tone: "bad",
      title: `Nobody has answered ${number} for ${since}: ${step.role}, it is yours`,
      text: `${title}. Acknowledge it, or say who does.`,
      fields: [
        { label: "Severity", value: severity },
        { label: "Opened by", value: openedBy },
        { label: "Escalation", value: `step ${place}: ${step.role}` },
      ],
      footer: number,
    },
    details: { incident: number, severity, role: step.role, step: place },
  } as const;
}
