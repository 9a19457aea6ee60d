/** Who is called when, and how soon: routes.yaml with the tables of the handbook where it says nothing. */
import { MINUTE_MS } from "../base/duration.js";
import { RECEIVER_DEFAULTS, RESPONSE_DEFAULTS } from "./defaults.js";
import {
  type EscalationStep,
  type Receiver,
  type Response,
  type Routes,
  SEVERITIES,
  type Severity,
} from "./policy.js";
import { toMs } from "./resolve-duration.js";
import type { RawSection } from "./schema.js";

type RawRoutes = RawSection<"routes">;

/** HB-slo-05 with the times of AM-slo-07: of steps that are written as the previous version did, by place. */
const AFTER_DEFAULT_MS = [0, 15 * MINUTE_MS, 30 * MINUTE_MS, 60 * MINUTE_MS];

export function afterByPlace(at: number): number {
  return AFTER_DEFAULT_MS[Math.min(at, AFTER_DEFAULT_MS.length - 1)]!;
}

export function resolveReceivers(raw: RawRoutes["receivers"]): Record<string, Receiver> {
  return Object.fromEntries(
    Object.entries(raw).map(([name, receiver]) => [name, resolveReceiver(name, receiver)]),
  );
}

function resolveReceiver(name: string, raw: RawRoutes["receivers"][string]): Receiver {
  const { kind, channel = "", url = "", to = [], sendResolved = true } = raw;
  const defaults = RECEIVER_DEFAULTS[kind];
  const { perMinuteMax = defaults.perMinuteMax, triesMax = defaults.triesMax } = raw;
  const all = { name, perMinuteMax, triesMax, sendResolved };
  if (kind === "slack") return { ...all, kind, channel };
  if (kind === "webhook") return { ...all, kind, url };
  return kind === "email" ? { ...all, kind, to } : { ...all, kind };
}

export function resolveEscalation(raw: RawRoutes["escalation"]): EscalationStep[] {
  return raw.map((step, at) =>
    typeof step === "string"
      ? { role: step, afterMs: afterByPlace(at) }
      : { role: step.role, afterMs: toMs(step.after) },
  );
}

export function resolveSeverities(raw: RawRoutes["severities"] = {}): Routes["severities"] {
  const entries = SEVERITIES.map((severity): [Severity, Response] => {
    const within = raw[severity]?.respondWithin;
    return [severity, within === undefined ? RESPONSE_DEFAULTS[severity] : toResponse(within)];
  });
  return Object.fromEntries(entries) as Record<Severity, Response>;
}

function toResponse(text: string): Response {
  return text === "nextBusinessDay" ? { by: text } : { by: "time", withinMs: toMs(text) };
}
