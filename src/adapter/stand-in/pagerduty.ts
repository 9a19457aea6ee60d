/**
 * A stand-in for PagerDuty on loopback: Events v2 in, incidents with notes, webhooks out. Refuses what
 * PagerDuty refuses (keys, sizes, a note without an author), so that a test cannot pass where it would fail.
 */
import { randomUUID } from "node:crypto";
import { systemClock } from "../../base/clock.js";
import {
  jsonBody,
  type LoopbackAnswer,
  type LoopbackRequest,
  type Misbehaviour,
  startLoopback,
} from "./loopback.js";
import {
  alertObject,
  eventErrors,
  type IncidentChange,
  incidentObject,
  invalidEvent,
  type StandInIncident,
  StandInIncidents,
} from "./pagerduty-incidents.js";
import { StandInWebhooks, type Subscription, type WebhookDelivery } from "./pagerduty-webhooks.js";

export interface StandInPagerDutyOptions {
  /** The integration key it accepts; 32 characters, like a real one. */
  readonly routingKey: string;
  /** The REST token it accepts; it belongs to a user. */
  readonly token: string;
  readonly webhook?: Subscription;
  /** Milliseconds between attempts of one webhook; the real one backs off over hours. Default 200. */
  readonly retryEveryMs?: number;
}

export interface StandInPagerDuty {
  /** For `PAGERDUTY_EVENTS_URL` and `PAGERDUTY_API_URL`. */
  readonly url: string;
  /** Oldest first. */
  incidents(): readonly StandInIncident[];
  /** `GET /incidents/Q1`: what was asked of REST, in order. */
  readonly asked: readonly string[];
  /** Every event that was taken, as it came. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  readonly deliveries: readonly WebhookDelivery[];
  readonly webhookEnabled: boolean;
  /** Where webhooks go from now on; switches a disabled subscription on again. */
  subscribe(subscription: Subscription): void;
  redeliver(webhookId: string): void;
  misbehave(...next: readonly Misbehaviour[]): void;
  close(): Promise<void>;
}

/** The user whose token it is; `From` must name one that exists. */
const USER = { id: "PUSTANDIN", type: "user", name: "Stand In", email: "stand-in@example.com" };
const EVENT_MAX_BYTES = 512 * 1_024;

export async function startStandInPagerDuty(
  options: StandInPagerDutyOptions,
): Promise<StandInPagerDuty> {
  const events: Readonly<Record<string, unknown>>[] = [];
  const asked: string[] = [];
  const webhooks = new StandInWebhooks(options.webhook ?? null, options.retryEveryMs ?? 200);
  let url = "";
  const incidents = new StandInIncidents((incident, change) =>
    webhooks.send(incident.id, change, webhookBody(incident, change, url)),
  );
  const loopback = await startLoopback((request) => {
    if (request.path === "/v2/enqueue") return enqueue(request, options, incidents, events);
    asked.push(`${request.method} ${request.path}`);
    return rest(request, options, incidents, url);
  });
  url = loopback.url;
  return {
    url,
    incidents: () => incidents.list(),
    asked,
    events,
    get deliveries() {
      return webhooks.deliveries;
    },
    get webhookEnabled() {
      return webhooks.enabled;
    },
    subscribe: (subscription) => webhooks.subscribe(subscription),
    redeliver: (webhookId) => webhooks.redeliver(webhookId),
    misbehave: loopback.misbehave,
    close: async () => {
      await webhooks.close();
      await loopback.close();
    },
  };
}

function enqueue(
  request: LoopbackRequest,
  options: StandInPagerDutyOptions,
  incidents: StandInIncidents,
  events: Readonly<Record<string, unknown>>[],
): LoopbackAnswer {
  if (Buffer.byteLength(request.body) > EVENT_MAX_BYTES) {
    return { status: 413, body: { status: "event too large" } };
  }
  const event = jsonBody(request);
  if (!event) return invalidEvent(["JSON parse error"]);
  const filled = { dedup_key: randomUUID(), ...event };
  const errors = eventErrors(filled, options.routingKey);
  if (errors.length > 0) return invalidEvent(errors);
  events.push(filled);
  apply(filled, incidents);
  return {
    status: 202,
    body: { status: "success", message: "Event processed", dedup_key: filled.dedup_key },
  };
}

function apply(event: Readonly<Record<string, unknown>>, incidents: StandInIncidents): void {
  const key = String(event.dedup_key);
  if (event.event_action === "resolve") incidents.resolve(key);
  if (event.event_action !== "trigger") return;
  const { summary, severity, custom_details } = event.payload as {
    summary: string;
    severity: string;
    custom_details?: Readonly<Record<string, unknown>>;
  };
  const at = systemClock.now();
  incidents.trigger({ key, title: summary, severity, at, details: custom_details ?? {} });
}

const INCIDENT_PATH = /^\/incidents\/([^/]+)(\/notes|\/alerts)?$/;

function rest(
  request: LoopbackRequest,
  options: StandInPagerDutyOptions,
  incidents: StandInIncidents,
  url: string,
): LoopbackAnswer {
  if (request.headers.authorization !== `Token token=${options.token}`) {
    return refuse(401, 2006, "You are not authorized");
  }
  if (request.path === "/users/me") return { status: 200, body: { user: USER } };
  const match = INCIDENT_PATH.exec(request.path);
  const incident = incidents.get(match?.[1] ?? "");
  if (!incident) return refuse(404, 2100, "Not Found");
  if (match?.[2] === undefined) {
    return { status: 200, body: { incident: incidentObject(incident, url) } };
  }
  if (match[2] === "/alerts") return { status: 200, body: { alerts: [alertObject(incident)] } };
  if (request.method === "GET") return { status: 200, body: { notes: incident.notes } };
  return annotate(request, incident, incidents);
}

function annotate(
  request: LoopbackRequest,
  incident: StandInIncident,
  incidents: StandInIncidents,
): LoopbackAnswer {
  if (request.headers.from !== USER.email) return refuse(400, 1008, "Requester User Not Found");
  const content = (jsonBody(request)?.note as { content?: unknown } | undefined)?.content;
  if (typeof content !== "string" || content === "") return refuse(400, 2001, "Invalid Input");
  const note = incidents.annotate(incident, content, USER.email);
  return note ? { status: 200, body: { note } } : refuse(400, 2001, "Too many notes");
}

function refuse(status: number, code: number, message: string): LoopbackAnswer {
  return { status, body: { error: { message, code, errors: [] } } };
}

/** One event a request, the incident as it stands (developer-docs, webhooks v3). */
function webhookBody(incident: StandInIncident, change: IncidentChange, url: string): string {
  const isNote = change === "incident.annotated";
  const data = isNote
    ? {
        id: incident.notes.at(-1)?.id,
        type: "incident_note",
        content: incident.notes.at(-1)?.content,
        incident: { id: incident.id, type: "incident_reference", summary: incident.title },
      }
    : incidentObject(incident, url);
  return JSON.stringify({
    event: {
      id: randomUUID(),
      event_type: change,
      resource_type: "incident",
      occurred_at: systemClock.now().toISOString(),
      agent: isNote ? { id: USER.id, type: "user_reference", summary: USER.name } : null,
      client: null,
      data,
    },
  });
}
