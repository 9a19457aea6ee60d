/**
 * Silences: for a while, alerts of certain labels are judged and recorded and not told. They come from Git
 * (silences.yaml) and from Alertmanager's API; here they are the same. No I/O, no clock.
 */
import { createHash } from "node:crypto";
import { MINUTE_MS } from "../base/duration.js";
import { type Matcher, matchesAll } from "../policy/matcher.js";
import type { AlertLevel, AlertRule, Severity } from "../policy/policy.js";
import type { Labels } from "./instance.js";

export interface Silence {
  /** A UUID. */
  readonly id: string;
  readonly source: "git" | "api";
  /** Its name in silences.yaml; null: it came by the API. */
  readonly name: string | null;
  /** All must match. */
  readonly matchers: readonly Matcher[];
  /** From then on, and before `endsAt`. */
  readonly startsAt: Date;
  readonly endsAt: Date;
  /** Whose it is, as they say. */
  readonly createdBy: string;
  readonly comment: string;
  /** Holds sev1 back as well. */
  readonly silencesPages: boolean;
  readonly updatedAt: Date;
}

export type SilenceState = "pending" | "active" | "expired";

export function stateOfSilence(
  { startsAt, endsAt }: Pick<Silence, "startsAt" | "endsAt">,
  now: Date,
): SilenceState {
  if (endsAt <= now) return "expired";
  return startsAt <= now ? "active" : "pending";
}

/** What matchers see of an alert. Names that every alert has win over a rule's own labels of the same name. */
export function alertLabels(
  system: string,
  rule: Pick<AlertRule, "name">,
  level: Pick<AlertLevel, "id" | "severity">,
  labels: Labels,
): Labels {
  const { id, severity } = level;
  return { ...labels, alertname: rule.name, rule: rule.name, level: id, severity, system };
}

/** Null: nothing silences it. What pages is silenced only by those that say so. */
export function findSilence(
  active: readonly Silence[],
  labels: Labels,
  severity: Severity,
): Silence | null {
  return active.find((silence) => holdsBack(silence, labels, severity)) ?? null;
}

export function holdsBack(silence: Silence, labels: Labels, severity: Severity): boolean {
  return (severity !== "sev1" || silence.silencesPages) && matchesAll(silence.matchers, labels);
}

/** Long enough for whatever it waits for to have begun. */
const IDLE_AFTER_MS = 15 * MINUTE_MS;

/** What nothing has matched for a quarter of an hour hides nothing, or something else than was meant. */
export function isIdle(
  silence: Pick<Silence, "startsAt" | "endsAt">,
  matchedAt: Date | null,
  now: Date,
): boolean {
  const hasBegun = stateOfSilence(silence, now) === "active";
  return hasBegun && matchedAt === null && +now - +silence.startsAt > IDLE_AFTER_MS;
}

/** The same name and start are the same silence over restarts and processes: UUID version 5 (RFC 9562, 5.5). */
export function gitSilenceId(system: string, name: string, starts: string): string {
  const namespace = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");
  const text = `algobrain:silence/${system}/${name}/${starts}`;
  const hash = createHash("sha1").update(namespace).update(text).digest().subarray(0, 16);
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join("-");
}
