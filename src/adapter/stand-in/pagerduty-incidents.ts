/** The incidents of a stand-in PagerDuty: what events make of them, by PagerDuty's dedup rules. */
import type { LoopbackAnswer } from "./loopback.js";

export interface StandInNote {
  readonly id: string;
  readonly content: string;
  /** E-mail of the `From` header. */
  readonly author: string;
}

export interface StandInIncident {
  readonly id: string;
  readonly number: number;
  /** The dedup key of its events. */
  readonly incidentKey: string;
  readonly title: string;
  readonly severity: string;
  readonly createdAt: string;
  /** Triggers that were folded into it, the first included. */
  readonly triggers: number;
  readonly status: "triggered" | "resolved";
  readonly notes: readonly StandInNote[];
  /** `custom_details` of its first event. */
  readonly details: Thing;
}

export type IncidentChange = "incident.triggered" | "incident.resolved" | "incident.annotated";

export class StandInIncidents {
  readonly #byId = new Map<string, StandInIncident>();
  readonly #changed: (incident: StandInIncident, change: IncidentChange) => void;

  constructor(changed: (incident: StandInIncident, change: IncidentChange) => void) {
    this.#changed = changed;
  }

  /** Oldest first. */
  list(): StandInIncident[] {
    return [...this.#byId.values()];
  }

  get(id: string): StandInIncident | undefined {
    return this.#byId.get(id);
  }

  trigger(event: { key: string; title: string; severity: string; at: Date; details: Thing }): void {
    const open = this.#openOne(event.key);
    if (open) {
      this.#put({ ...open, triggers: open.triggers + 1 });
      return;
    }
    const number = this.#byId.size + 1;
    const incident: StandInIncident = {
      id: `Q${String(number).padStart(13, "0")}`,
      number,
      incidentKey: event.key,
      title: event.title,
      severity: event.severity,
      createdAt: event.at.toISOString(),
      triggers: 1,
      status: "triggered",
      notes: [],
      details: event.details,
    };
    this.#put(incident);
    this.#changed(incident, "incident.triggered");
  }

  /** Without an open incident of that key it is dropped, as PagerDuty does. */
  resolve(key: string): void {
    const open = this.#openOne(key);
    if (!open) return;
    const resolved = { ...open, status: "resolved" as const };
    this.#put(resolved);
    this.#changed(resolved, "incident.resolved");
  }

  /** At most 2,000 notes an incident; null when there is no room. */
  annotate(incident: StandInIncident, content: string, author: string): StandInNote | null {
    if (incident.notes.length >= 2_000) return null;
    const note = { id: `N${incident.notes.length + 1}`, content, author };
    const noted = { ...incident, notes: [...incident.notes, note] };
    this.#put(noted);
    // Our own notes come back as webhooks: whoever listens must not answer them.
    this.#changed(noted, "incident.annotated");
    return note;
  }

  #openOne(key: string): StandInIncident | undefined {
    return this.list().find((one) => one.incidentKey === key && one.status === "triggered");
  }

  #put(incident: StandInIncident): void {
    this.#byId.set(incident.id, incident);
  }
}

type Thing = Readonly<Record<string, unknown>>;

const SEVERITIES = ["critical", "error", "warning", "info"];

/** What Events v2 finds wrong with an event; none when it takes it. */
export function eventErrors(event: Thing, routingKey: string): string[] {
  const errors: string[] = [];
  const action = event.event_action;
  if (event.routing_key !== routingKey) errors.push("Invalid routing key");
  if (action !== "trigger" && action !== "acknowledge" && action !== "resolve") {
    errors.push("'event_action' must be one of trigger, acknowledge, resolve");
  }
  if (!isTextUpTo(event.dedup_key, 255)) errors.push("'dedup_key' must have 1 to 255 characters");
  if (action === "trigger") errors.push(...payloadErrors(event.payload));
  return errors;
}

function payloadErrors(payload: unknown): string[] {
  if (typeof payload !== "object" || payload === null) return ["'payload' is missing or blank"];
  const { summary, source, severity } = payload as Thing;
  const errors: string[] = [];
  if (!isTextUpTo(summary, 1_024)) errors.push("'payload.summary' must have 1 to 1024 characters");
  if (!isTextUpTo(source, 255)) errors.push("'payload.source' is missing or too long");
  if (!SEVERITIES.includes(String(severity))) {
    errors.push(`'payload.severity' must be one of ${SEVERITIES.join(", ")}`);
  }
  return errors;
}

function isTextUpTo(value: unknown, max: number): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= max;
}

/** The one alert of an incident, as REST shows it: webhooks carry none. */
export function alertObject(incident: StandInIncident): Thing {
  return {
    id: `A${incident.id}`,
    type: "alert",
    summary: incident.title,
    severity: incident.severity,
    status: incident.status,
    alert_key: incident.incidentKey,
    body: { type: "alert_body", details: incident.details },
  };
}

/** An incident as REST and webhooks show it: the fields that are always there. */
export function incidentObject(incident: StandInIncident, apiUrl: string): Thing {
  return {
    id: incident.id,
    type: "incident",
    self: `${apiUrl}/incidents/${incident.id}`,
    html_url: `${apiUrl}/incidents/${incident.id}`,
    number: incident.number,
    status: incident.status,
    incident_key: incident.incidentKey,
    created_at: incident.createdAt,
    title: incident.title,
    service: { id: "PSTANDIN", type: "service_reference", summary: "stand-in" },
    assignees: [],
    escalation_policy: {
      id: "PESTANDIN",
      type: "escalation_policy_reference",
      summary: "stand-in",
    },
    teams: [],
    priority: null,
    urgency: incident.severity === "critical" || incident.severity === "error" ? "high" : "low",
    conference_bridge: null,
    resolve_reason: null,
  };
}

export function invalidEvent(errors: readonly string[]): LoopbackAnswer {
  return {
    status: 400,
    body: { status: "invalid event", message: "Event object is invalid", errors },
  };
}
