/**
 * How a policy set is laid out for comparing: which lists are collections of named things, which values are one
 * thing although they are made of parts. Every path step into such a list is the name of an entry, never a number.
 */
import { canonicalJson } from "../base/json.js";
import type { SilencePolicy } from "./monitoring.js";
import type { PlanException } from "./plan-review.js";
import type {
  AccessRule,
  AlertLevel,
  AlertRule,
  Automation,
  EscalationStep,
  Person,
  Schedule,
} from "./policy.js";

/** A list whose entries have names. */
export interface Named {
  /** What an entry is called; a second one of the same name gets `#2`. */
  nameOf(entry: never): string;
  /** The key that holds the name, for entries that may be renamed. */
  readonly nameKey: string | null;
  /** Kept in the order of the names, so that their order says nothing. */
  readonly sorted: boolean;
  /** Texts by which a renamed entry is known again; any one is enough. */
  tracesOf(entry: never): readonly string[];
}

/** By path, `*` for any one name. */
const NAMED: Readonly<Record<string, Named>> = {
  alerts: {
    nameOf: (rule: AlertRule) => rule.name,
    nameKey: "name",
    sorted: true,
    // A level's id is its identity (HB-met-09); with another signal it is another rule that took the id.
    tracesOf: (rule: AlertRule) => rule.levels.map(({ id }) => `${id} of ${shapeOf(rule)}`),
  },
  "alerts.*.levels": {
    nameOf: (level: AlertLevel) => level.id,
    nameKey: "id",
    sorted: false,
    tracesOf: (level: AlertLevel) => [level.name],
  },
  schedules: {
    nameOf: (schedule: Schedule) => schedule.name,
    nameKey: "name",
    sorted: true,
    tracesOf: ({ name: _, ...rest }: Schedule) => [canonicalJson(rest)],
  },
  automation: {
    nameOf: (entry: Automation) => entry.name,
    nameKey: "name",
    sorted: false,
    tracesOf: ({ name: _, ...rest }: Automation) => [canonicalJson(rest)],
  },
  silences: {
    nameOf: (silence: SilencePolicy) => silence.name,
    nameKey: "name",
    sorted: true,
    tracesOf: ({ name: _, ...rest }: SilencePolicy) => [canonicalJson(rest)],
  },
  exceptions: {
    nameOf: (exception: PlanException) => exception.name,
    nameKey: "name",
    sorted: true,
    tracesOf: ({ name: _, ...rest }: PlanException) => [canonicalJson(rest)],
  },
  "access.people": {
    nameOf: (person: Person) => person.name,
    nameKey: "name",
    sorted: false,
    tracesOf: ({ slack, github, subjects }: Person) => [
      ...slack,
      ...subjects,
      ...(github === null ? [] : [`github ${github}`]),
    ],
  },
  "access.rules": {
    nameOf: ({ runbook, danger }: AccessRule) => runbook ?? `danger ${danger}`,
    nameKey: null,
    sorted: false,
    tracesOf: () => [],
  },
  "routes.escalation": {
    nameOf: ({ role }: EscalationStep) => role,
    nameKey: null,
    sorted: false,
    tracesOf: () => [],
  },
  "scaling.*.policies": {
    nameOf: ({ name }: { name: string }) => name,
    nameKey: "name",
    sorted: false,
    tracesOf: ({ name: _, ...rest }: { name: string }) => [canonicalJson(rest)],
  },
};

/** Form, metrics and instances: what must be the same for a rule to be the same rule under another name. */
function shapeOf({ signal, by, combine }: AlertRule): string {
  return canonicalJson([signal, by, combine]);
}

/** Objects that are said and compared as a whole. */
const WHOLE: ReadonlySet<string> = new Set([
  "metrics.*.cloudwatch",
  "alerts.*.signal.of",
  "alerts.*.signal.num",
  "alerts.*.signal.all",
  "alerts.*.signal.den",
  "alerts.*.signal.bad",
  "workers.*.rateLimit",
  "scaling.*.policies.*.metric",
  "schedules.*.payload",
  "automation.*.when",
  "routes.severities.*",
  "automation.*.params",
  "automation.*.trust",
  "access.rules.*.approvers",
]);

/** Where the next step is a name that people give, and what is called so. */
const NAME_PARENTS: Readonly<Record<string, string>> = {
  metrics: "metric",
  alerts: "",
  "alerts.*.levels": "",
  workers: "worker",
  "healing.breakers": "breaker",
  scaling: "scaling",
  "scaling.*.policies": "policy",
  schedules: "schedule",
  "infrastructure.services": "service",
  "routes.receivers": "receiver",
  "routes.escalation": "escalation to",
  "routes.severities": "answer to",
  "access.people": "person",
  "access.rules": "access rule",
  "access.groups": "group",
  automation: "automation",
  runbooks: "runbook",
  flags: "flag",
  silences: "silence",
  exceptions: "exception",
  "infrastructure.review.drift.classes": "drift class",
};

/** What an entry below this pattern is called; undefined where the next step is a key of ours. */
export function nounBelow(pattern: string): string | undefined {
  return Object.hasOwn(NAME_PARENTS, pattern) ? NAME_PARENTS[pattern] : undefined;
}

/** `alerts.*.levels` and `AR-06` → `alerts.*.levels.*`. */
export function patternBelow(pattern: string, step: string): string {
  const last = nounBelow(pattern) === undefined ? step : "*";
  return pattern === "" ? last : `${pattern}.${last}`;
}

/** `alerts.queue-depth-high.levels.AR-06.value` → `alerts.*.levels.*.value`. */
export function patternOf(at: readonly string[]): string {
  return at.reduce(patternBelow, "");
}

export function namedAt(pattern: string): Named | undefined {
  return Object.hasOwn(NAMED, pattern) ? NAMED[pattern] : undefined;
}

export function isWhole(pattern: string): boolean {
  return WHOLE.has(pattern);
}

/** Keys and values, and no list. */
export function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The entries of such a list by name, in its order. */
export function entriesByName(named: Named, list: readonly unknown[]): Map<string, unknown> {
  const entries = new Map<string, unknown>();
  for (const entry of list) {
    const name = named.nameOf(entry as never);
    let unique = name;
    for (let count = 2; entries.has(unique); count += 1) unique = `${name}#${count}`;
    entries.set(unique, entry);
  }
  return entries;
}
