/** What an incident says to the parameters of an automation: `${incident.id}`, `${alert.labels.kind}`. */
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import type { Automation } from "../policy/policy.js";
import type { CauseValues } from "../runbook/automation.js";
import type { IncidentAlert } from "../runbook/port.js";
import type { PagerDutyEventBody } from "./pagerduty-event.js";

/** How deep details are looked into, and how many of them: they come from outside. */
const DEPTH_MAX = 4;
const VALUES_MAX = 200;

/** Whether its alerts must be fetched: the webhook carries none of their details. */
export function needsAlerts({ params }: Pick<Automation, "params">): boolean {
  return Object.values(params).some(
    (value) => typeof value === "string" && value.includes("${alert."),
  );
}

export function incidentValues(incident: PagerDutyEventBody): CauseValues {
  const { incidentId, title, incidentKey, url } = incident;
  return definedOf({
    "incident.id": incidentId,
    "incident.title": title,
    "incident.key": incidentKey,
    "incident.url": url,
  });
}

/** Only what all alerts of the incident agree on: acting on the details of one of them would be a guess. */
export function alertValues(alerts: readonly IncidentAlert[]): CauseValues {
  const [first, ...others] = alerts.map(valuesOf);
  if (!first) return {};
  return Object.fromEntries(
    [...first].filter(([name, value]) => others.every((other) => other.get(name) === value)),
  );
}

function valuesOf({ summary, severity, details }: IncidentAlert): Map<string, Json> {
  const values = new Map<string, Json>();
  flatten("alert", details, DEPTH_MAX, values);
  values.set("alert.summary", summary);
  // Our own details name ours (`sev2`); PagerDuty's word (`error`) only stands in where they do not.
  if (severity !== null && !values.has("alert.severity")) values.set("alert.severity", severity);
  return values;
}

function flatten(prefix: string, object: JsonObject, depth: number, into: Map<string, Json>): void {
  for (const [name, value] of Object.entries(object)) {
    if (into.size >= VALUES_MAX) return;
    if (!isJsonObject(value)) into.set(`${prefix}.${name}`, value);
    else if (depth > 1) flatten(`${prefix}.${name}`, value, depth - 1, into);
  }
}

function definedOf(values: Readonly<Record<string, string | null>>): CauseValues {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}
