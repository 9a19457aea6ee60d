/** What PagerDuty sent, as a row to keep. Lists of event types grow, so unknown ones are kept and passed over. */
import { createHash } from "node:crypto";
import { isJsonObject, type JsonObject } from "../base/json.js";
import { isOwnNote } from "../runbook/own-word.js";
import type { NewInbound } from "../store/inbound.js";
import { storedText } from "./stored-text.js";

/** The one event that may start something. Our own notes come back as `incident.annotated`: never acted on. */
export const ACTED_ON = "incident.triggered";

/** Body of a stored event about an incident. */
export interface PagerDutyEventBody extends JsonObject {
  eventId: string | null;
  incidentId: string;
  title: string;
  incidentKey: string | null;
  url: string | null;
  /** ISO 8601, as PagerDuty says. */
  occurredAt: string | null;
  /** Whose doing it was, e.g. `user_reference PUSR001`; null: PagerDuty's own, or not told. */
  agent: string | null;
  /** A note of ours that comes back. */
  isOwn: boolean;
}

/** The event; null when the body is no event of the V3 form. */
export function readPagerDutyEvent(body: Buffer, webhookId: string | undefined): NewInbound | null {
  const event = parseEvent(body);
  if (!event) return null;
  const eventType = storedText(event.event_type, 100);
  if (!eventType) return null;
  const eventId = storedText(event.id, 100);
  const data = isJsonObject(event.data) ? event.data : {};
  return {
    source: "pagerduty",
    // The same over all attempts of a delivery; the event's own id where a proxy took the header away.
    deliveryId: webhookId || eventId || createHash("sha256").update(body).digest("hex"),
    eventType,
    body: {
      eventId,
      incidentId: storedText(incidentOf(data).id, 100) ?? "",
      title: storedText(data.title) ?? "",
      incidentKey: storedText(data.incident_key, 255),
      url: storedText(data.html_url, 1_000),
      occurredAt: storedText(event.occurred_at, 40),
      agent: agentOf(event),
      isOwn: data.type === "incident_note" && isOwnNote(data.content),
    },
  };
}

/** Of a note, the incident that it stands on. */
function incidentOf(data: JsonObject): JsonObject {
  return data.type === "incident_note" && isJsonObject(data.incident) ? data.incident : data;
}

function agentOf({ agent }: JsonObject): string | null {
  if (!isJsonObject(agent)) return null;
  const said = [storedText(agent.type, 60), storedText(agent.id, 60)].filter(Boolean);
  return said.length === 0 ? null : said.join(" ");
}

function parseEvent(body: Buffer): JsonObject | null {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return isJsonObject(value) && isJsonObject(value.event) ? value.event : null;
  } catch {
    // Authentic and still no JSON: a 4xx would get the subscription disabled, so it is only not acted on.
    return null;
  }
}
