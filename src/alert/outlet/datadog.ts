/** All alert rules as monitors of Datadog, in the file of which the handbook speaks (HB-alr-01…08, X-70). */
import type { AlertLevel, AlertRule, PolicySet, Severity } from "../../policy/policy.js";
import { type DatadogQuery, datadogQuery } from "./datadog-query.js";
import { type Exported, eachLevel, type LeftOut } from "./left-out.js";
import { type YamlValue, yamlText } from "./yaml-text.js";

export const DATADOG_MONITORS = "datadog-monitors.yaml";

const HEADING = [
  "# Made of the alert rules in policies/ by `algobrain policy outlets`; change them there.",
  "# The handbook's query of the orchestrator's heartbeat, service_check:algobrain.orchestrator.heartbeat, has no window",
  "# (HB-alr-04, X-28); here it is in the form that Datadog's service check monitors have.",
  "# What Datadog cannot say, or says otherwise, is in left-out.md.",
];

type Sound = Extract<DatadogQuery, { ok: true }>;

interface Told {
  readonly rule: AlertRule;
  readonly level: AlertLevel;
  readonly form: DatadogQuery;
}

interface Placed extends Told {
  readonly form: Sound;
}

export function datadogMonitors(policy: PolicySet): Exported {
  const told = eachLevel(policy, (rule, level): Told => {
    return { rule, level, form: datadogQuery(rule, level, policy.metrics) };
  });
  const placed = told.filter((one): one is Placed => one.form.ok);
  const monitors = sharing(placed).map((levels) => monitorOf(policy, levels));
  return {
    text: `${HEADING.join("\n")}\n${yamlText({ monitors })}`,
    leftOut: told.flatMap(({ rule, level, form }) =>
      form.ok ? [] : [noteOf(rule, level, form.reason)],
    ),
    loose: placed.flatMap(({ rule, level, form }) =>
      [...form.loose, ...silenceLoose(rule)].map((reason) => noteOf(rule, level, reason)),
    ),
  };
}

function noteOf(rule: AlertRule, level: AlertLevel, reason: string): LeftOut {
  return { rule: rule.name, level: level.id, reason };
}

function silenceLoose({ noData }: AlertRule): string[] {
  return noData?.then === "breach" ? ["missing data is told as missing, not as the alert"] : [];
}

/** A warning and a critical line on the same number are one monitor: leaving critical becomes a warning there as here. */
function sharing(placed: readonly Placed[]): Placed[][] {
  const monitors: Placed[][] = [];
  for (const one of placed) {
    const beside = monitors.find((levels) => levels.length === 1 && canShare(levels[0]!, one));
    if (beside) beside.push(one);
    else monitors.push([one]);
  }
  return monitors;
}

function canShare(milder: Placed, stricter: Placed): boolean {
  return (
    milder.rule === stricter.rule &&
    milder.form.measured === stricter.form.measured &&
    milder.level.op === stricter.level.op
  );
}

/** Strictest last. */
function monitorOf(policy: PolicySet, levels: readonly Placed[]): YamlValue {
  const { rule, level, form } = levels.at(-1)!;
  const milder = levels.length > 1 ? levels[0]!.level : null;
  const { system } = policy;
  return {
    name: nameOf(rule, level),
    type: form.type,
    query: form.query,
    message: messageOf(policy, rule, level, milder),
    priority: PRIORITIES[level.severity],
    tags: [
      ...[`system:${system}`, `env:${policy.environment}`, `rule:${rule.name}`],
      ...levels.map((one) => `level:${one.level.id}`),
    ],
    options: form.type === "service check" ? checkOptions(rule) : options(rule, level, milder),
  };
}

const PRIORITIES: Readonly<Record<Severity, number>> = { sev1: 1, sev2: 2, sev3: 3, sev4: 4 };

/** Those of the handbook where it has one (HB-alr-01…06); the threshold in a name is the rule's. */
function nameOf({ name }: AlertRule, { id, value }: AlertLevel): string {
  const percent = `${Number((value * 100).toPrecision(6))}%`;
  const given: Readonly<Record<string, string>> = {
    "AR-01": `Worker Success Rate Below ${percent}`,
    "AR-02": `API Error Rate Above ${percent}`,
    "AR-04": "Database Connections Exhausted",
  };
  const words = name.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return given[id] ?? words.join(" ");
}

/** The handles stand in the text (HB-alr-07): who is paged here is paged there. */
function messageOf(
  policy: PolicySet,
  rule: AlertRule,
  level: AlertLevel,
  milder: AlertLevel | null,
): string {
  const runbook = level.runbook === null ? "" : ` First runbook: ${level.runbook}.`;
  const text = `${level.id}: ${rule.summary}${runbook}`;
  if (!milder) return `${text} ${handleOf(policy, level)}`;
  const strict = `{{#is_alert}}${handleOf(policy, level)}{{/is_alert}}`;
  return `${text} ${strict}{{#is_warning}}${handleOf(policy, milder)}{{/is_warning}}`;
}

function handleOf({ monitoring, routes }: PolicySet, { severity, notify }: AlertLevel): string {
  const { pagerduty, slack } = monitoring.outlets.datadog;
  const pages = notify.some((name) => routes.receivers[name]?.kind === "pagerduty");
  return pages || severity === "sev1" ? pagerduty : slack;
}

function options(rule: AlertRule, level: AlertLevel, milder: AlertLevel | null): YamlValue {
  const { signal } = rule;
  return {
    thresholds: {
      critical: level.value,
      critical_recovery: level.recover?.value,
      warning: milder?.value,
      warning_recovery: milder?.recover?.value,
    },
    require_full_window: "fullWindow" in signal && signal.fullWindow,
    on_missing_data: MISSING_DATA[rule.noData?.then ?? "hold"],
    renotify_interval: Math.round(rule.repeatMs / 60_000),
  };
}

/** docs.datadoghq.com/monitors/guide/on_missing_data. By default a gauge keeps its status. */
const MISSING_DATA = {
  hold: "default",
  ok: "resolve",
  breach: "show_and_notify_no_data",
  alert: "show_and_notify_no_data",
} as const;

function checkOptions(rule: AlertRule): YamlValue {
  return {
    thresholds: { ok: 1, warning: 1, critical: 1 },
    notify_no_data: true,
    no_data_timeframe: 2,
    renotify_interval: Math.round(rule.repeatMs / 60_000),
  };
}
