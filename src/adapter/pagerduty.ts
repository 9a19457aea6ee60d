/**
 * PagerDuty: events that page, and notes on incidents. The only file that knows `@pagerduty/pdjs`, and it
 * makes up for its gaps: HTTP errors that do not reject, time-outs that abort nothing, an events call
 * that cannot leave its host (docs/decisions/0007-pagerduty-events-are-our-own-request.md).
 */
import type { api } from "@pagerduty/pdjs";
import type { Delivered, Delivery, Notifier } from "../alert/port.js";
import { Fault, fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import { toPlain } from "../message/plain.js";
import type { IncidentAlert, Incidents } from "../runbook/port.js";
import { CREDENTIAL_RETRY_MS, faultOfFailure, faultOfStatus, sendHttp } from "./http.js";

const SYSTEM = "PAGERDUTY";
const TIMEOUT_MS = 10_000;
const EVENTS_URL = "https://events.pagerduty.com";
const API_URL = "https://api.pagerduty.com";

export interface PagerDutyEventsOptions {
  /** Integration key of the service, 32 characters. */
  readonly routingKey: string;
  /** Base URL; default PagerDuty's own. */
  readonly eventsUrl?: string | null;
  readonly timeoutMs?: number;
}

const SEVERITY: Readonly<Record<Delivery["severity"], string>> = {
  sev1: "critical",
  sev2: "error",
  sev3: "warning",
  sev4: "info",
};

/** Limits of Events v2; what is longer is refused whole. */
const SUMMARY_MAX = 1_024;
const SOURCE_MAX = 255;

/** The same dedup key opens at most one incident, so a repeated delivery is harmless. */
export function createPagerDutyNotifier(options: PagerDutyEventsOptions): Notifier {
  return {
    kind: "pagerduty",
    deliver: (delivery, signal) => sendEvent(options, delivery, signal),
  };
}

async function sendEvent(
  options: PagerDutyEventsOptions,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<Delivered> {
  if (delivery.receiver.kind !== "pagerduty") {
    const name = delivery.receiver.name;
    throw fault.data("PAGERDUTY_WRONG_RECEIVER", `receiver "${name}" is no PagerDuty service`);
  }
  const response = await sendHttp({
    system: SYSTEM,
    method: "POST",
    url: `${options.eventsUrl ?? EVENTS_URL}/v2/enqueue`,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(toEvent(options.routingKey, delivery)),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    signal,
  });
  if (response.status === 400 && /routing.key/i.test(response.text)) throw wrongRoutingKey();
  const refused = faultOfStatus(SYSTEM, response, "the event");
  if (refused) throw refused;
  return { reference: delivery.dedupKey };
}

/** A page is not thrown away for a mistyped key: it goes out once a person has corrected it. */
function wrongRoutingKey(): Fault {
  return fault.waiting("PAGERDUTY_UNAUTHORIZED", "it does not know our routing key", {
    hint: "set PAGERDUTY_ROUTING_KEY to the integration key (Events API v2) of the service",
    retryAfterMs: CREDENTIAL_RETRY_MS,
  });
}

function toEvent(routingKey: string, delivery: Delivery) {
  const { message, dedupKey, action } = delivery;
  const event = {
    ...{ routing_key: routingKey, event_action: action, dedup_key: dedupKey },
    // Asked of a trigger only. In the log of what is resolved it says who did it, and why.
    payload: {
      summary: message.title.slice(0, SUMMARY_MAX),
      source: delivery.source.slice(0, SOURCE_MAX),
      severity: SEVERITY[delivery.severity],
      custom_details: { ...delivery.details, text: toPlain(message) },
    },
  };
  if (action === "resolve") return event;
  return {
    ...event,
    links: (message.links ?? []).map(({ label, url }) => ({ href: url, text: label })),
  };
}

export interface PagerDutyRestOptions {
  readonly token: string;
  readonly apiUrl?: string | null;
  /** E-mail of the user in whose name notes are written; by default the one whose token it is. */
  readonly from?: string;
  readonly timeoutMs?: number;
}

export function createPagerDutyIncidents(options: PagerDutyRestOptions): Incidents {
  let author: string | undefined = options.from;
  return {
    alerts: async (incidentId, signal) => {
      const path = `/incidents/${encodeURIComponent(incidentId)}/alerts?limit=${ALERTS_MAX}`;
      const { alerts } = await rest(options, "get", path, signal);
      return (Array.isArray(alerts) ? alerts : []).filter(isJsonObject).map(toAlert);
    },
    status: async (incidentId, signal) => {
      const path = `/incidents/${encodeURIComponent(incidentId)}`;
      const { incident } = await rest(options, "get", path, signal);
      const status = isJsonObject(incident) ? incident.status : undefined;
      return STATUSES.find((one) => one === status) ?? "unknown";
    },
    addNote: async (incidentId, text, marker, signal) => {
      const path = `/incidents/${encodeURIComponent(incidentId)}/notes`;
      const written = contentsOf(await rest(options, "get", path, signal));
      // There is no idempotency key: a note that a lost answer hid from us is found by its marker.
      if (written.some((content) => content.includes(marker))) return;
      author ??= await readAuthor(options, signal);
      const content = text.includes(marker) ? text : `${text}\n\n${marker}`;
      await rest(options, "post", path, signal, { From: author }, { note: { content } });
    },
  };
}

const STATUSES = ["triggered", "acknowledged", "resolved"] as const;
/** More of them are one trouble, and need not be told apart. */
const ALERTS_MAX = 25;

/** Its custom details stand in `body.details`, as an object or, from some senders, as text. */
function toAlert({ summary, severity, body }: JsonObject): IncidentAlert {
  const details = isJsonObject(body) ? body.details : undefined;
  return {
    summary: typeof summary === "string" ? summary : "",
    severity: typeof severity === "string" ? severity : null,
    details: isJsonObject(details) ? details : {},
  };
}

function contentsOf({ notes }: JsonObject): string[] {
  return (Array.isArray(notes) ? notes : [])
    .filter(isJsonObject)
    .map(({ content }) => (typeof content === "string" ? content : ""));
}

/** PagerDuty wants a person as the author of a note. */
async function readAuthor(options: PagerDutyRestOptions, signal: AbortSignal): Promise<string> {
  try {
    const { user } = await rest(options, "get", "/users/me", signal);
    if (isJsonObject(user) && typeof user.email === "string") return user.email;
    throw fault.data("PAGERDUTY_ANSWER_INVALID", "the user has no e-mail");
  } catch (error) {
    // An account's token is answered with 400: it is nobody's.
    if (!(error instanceof Fault) || error.kind !== "data") throw error;
    throw fault.waiting("PAGERDUTY_AUTHOR_UNKNOWN", "the token belongs to no user", {
      hint: "set PAGERDUTY_TOKEN to a user's own API token: notes are written in a person's name",
      retryAfterMs: CREDENTIAL_RETRY_MS,
      cause: error,
    });
  }
}

async function rest(
  options: PagerDutyRestOptions,
  method: "get" | "post",
  path: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
  data?: object,
): Promise<JsonObject> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  // Loaded when PagerDuty is first spoken to: most processes never do.
  const pagerduty = await import("@pagerduty/pdjs");
  const deadline = AbortSignal.timeout(timeoutMs);
  const response = await pagerduty
    .api({ token: options.token })
    [method](path, {
      // The endpoint alone would go to a fixed host by https.
      url: `${options.apiUrl ?? API_URL}${path}`,
      headers: { ...headers },
      ...(data ? { data } : {}),
      ...UNHURRIED,
      signal: AbortSignal.any([signal, deadline]),
    })
    .catch((thrown: unknown) => {
      // A body that is not JSON rejects with the response itself, which is no Error: its status tells.
      if (isResponse(thrown)) return thrown;
      throw faultOfFailure({ system: SYSTEM, timeoutMs, signal, deadline, error: thrown });
    });
  const refused = faultOfStatus(SYSTEM, response, "the request");
  if (refused) throw refused;
  const answer: unknown = response.data;
  if (!isJsonObject(answer)) {
    throw fault.transient(
      "PAGERDUTY_ANSWER_INVALID",
      "it answered something that is no JSON object",
    );
  }
  return answer;
}

/**
 * pdjs' own `requestTimeout` aborts nothing and keeps the process alive for 30 s: 0 turns it off, our
 * signal does the work. It repeats a 429 three times whatever one asks; 1 ms instead of 20 s keeps that
 * inside our deadline, and the outbox waits as long as PagerDuty says.
 */
const UNHURRIED = { requestTimeout: 0, retryTimeout: 1, redirect: "error" } as const;

type RestAnswer = Awaited<ReturnType<ReturnType<typeof api>["get"]>>;

function isResponse(thrown: unknown): thrown is RestAnswer {
  return typeof (thrown as { status?: unknown } | null)?.status === "number";
}
