/** All alert rules as a rule file of Prometheus: one group a rule, one alert a level. */
import { formatDuration } from "../../base/duration.js";
import type { AlertLevel, AlertRule, PolicySet } from "../../policy/policy.js";
import { selectorsOf } from "../../policy/selectors.js";
import { type Exported, eachLevel, type LeftOut } from "./left-out.js";
import { type PrometheusExpression, prometheusExpression } from "./prometheus-expression.js";
import { type Metrics, selectorText, sourceOf } from "./promql.js";
import { type YamlValue, yamlText } from "./yaml-text.js";

const HEADING = [
  "# Made of the alert rules in policies/ by `algobrain policy outlets`; change them there.",
  "# An alert a level, told apart by the label `level`: of several that fire the strictest counts. Grouping, inhibition",
  "# and silences belong to Alertmanager. What Prometheus cannot say, or says otherwise, is in left-out.md.",
];

interface Told {
  readonly rule: AlertRule;
  readonly level: AlertLevel;
  readonly form: PrometheusExpression;
}

export function prometheusRules(policy: PolicySet): Exported {
  const told = eachLevel(policy, (rule, level): Told => {
    return { rule, level, form: prometheusExpression(rule, level, policy.metrics) };
  });
  const groups = policy.alerts.flatMap((rule) =>
    groupOf(
      policy,
      told.filter((one) => one.rule === rule),
    ),
  );
  return {
    text: `${HEADING.join("\n")}\n${yamlText({ groups })}`,
    leftOut: told.flatMap((one) => (one.form.ok ? [] : [noteOf(one, one.form.reason)])),
    loose: told.flatMap((one) =>
      one.form.ok ? one.form.loose.map((text) => noteOf(one, text)) : [],
    ),
  };
}

function noteOf({ rule, level }: Told, reason: string): LeftOut {
  return { rule: rule.name, level: level.id, reason };
}

/** None for a rule of which no level has a form. */
function groupOf(policy: PolicySet, told: readonly Told[]): YamlValue[] {
  const rules = told.flatMap((one): YamlValue[] =>
    one.form.ok ? [alertOf(policy, one, one.form)] : [],
  );
  const [first] = told;
  if (!first || rules.length === 0) return [];
  const { rule } = first;
  const silence = absenceOf(policy, rule);
  const name = `${policy.system}/${rule.name}`;
  return [{ name, interval: formatDuration(rule.everyMs), rules: [...rules, ...silence] }];
}

type Sound = Extract<PrometheusExpression, { ok: true }>;

function alertOf(policy: PolicySet, { rule, level }: Told, form: Sound): YamlValue {
  const { expr, forMs, keepFiringForMs } = form;
  return {
    alert: rule.name,
    expr,
    for: forMs > 0 ? formatDuration(forMs) : undefined,
    keep_firing_for: keepFiringForMs ? formatDuration(keepFiringForMs) : undefined,
    labels: labelsOf(policy, level),
    annotations: {
      summary: plain(rule.summary),
      description: `{{ $value | humanize }}, expected not ${level.op} ${level.value} in our unit`,
      runbook: level.runbook ?? undefined,
    },
  };
}

/** Annotations are Go templates there; what people wrote is none. */
function plain(text: string): string {
  return text.replaceAll("{{", '{{"{{"}}');
}

function labelsOf(policy: PolicySet, level: AlertLevel): YamlValue {
  const { system, environment } = policy;
  return { system, environment, level: level.id, severity: level.severity };
}

/** Where silence is the alarm. Prometheus cannot say which instance is missing, so only of a rule that has one. */
function absenceOf({ metrics, ...policy }: PolicySet, rule: AlertRule): YamlValue[] {
  const strictest = rule.levels.at(-1);
  const { noData, by, signal } = rule;
  const isAlarm = noData?.then === "alert" || noData?.then === "breach";
  if (!isAlarm || !strictest || by.length > 0) return [];
  const then = noData.then === "breach" ? strictest.forMs : 0;
  return [
    {
      alert: rule.name,
      expr: absentText(selectorsOf(signal), noData.afterMs, metrics),
      for: then > 0 ? formatDuration(then) : undefined,
      labels: labelsOf({ metrics, ...policy }, strictest),
      annotations: {
        summary: `${plain(rule.summary)} (no data)`,
        runbook: strictest.runbook ?? undefined,
      },
    },
  ];
}

function absentText(
  selectors: ReturnType<typeof selectorsOf>,
  afterMs: number,
  metrics: Metrics,
): string {
  const range = formatDuration(Math.max(afterMs, 1_000));
  return selectors
    .map((selector) => `absent_over_time(${selectorText(sourceOf(selector, metrics))}[${range}])`)
    .join(" or ");
}
