/** What a change of a metric or an alert rule means: whether people are told later, sooner, or something else. */
import type { Json } from "../../base/json.js";
import {
  type AlertLevel,
  type AlertRule,
  type PolicySet,
  SEVERITIES,
  type Signal,
} from "../policy.js";
import type { SignalUnit } from "../threshold.js";
import {
  duration,
  percent,
  plain,
  selector,
  signal,
  threshold,
  unitOfRule,
  value,
} from "../words.js";
import { judgeGroup, judgeInhibitors, judgeTicks, ticks } from "./holding.js";
import {
  amount,
  entry,
  exchange,
  type Judge,
  type Meaning,
  members,
  type Rows,
  ranked,
  type Seen,
  toggle,
  verdict,
} from "./row.js";

const LATER: Meaning = ["looser", "fires later"];
const SOONER: Meaning = ["stricter", "fires sooner"];

/** Whoever changes what is measured starts anew: nobody can say whether it still fires. */
const OTHERWISE: Meaning = ["looser", "measures something else, and its state starts anew"];

const judgeValue: Judge = (seen) => {
  const op = levelOf(seen)?.op ?? ">";
  return thresholdVerdict(
    "threshold",
    seen,
    op.startsWith(">") ? [LATER, SOONER] : [SOONER, LATER],
  );
};

const judgeRecoverValue: Judge = (seen) => {
  const op = levelOf(seen)?.op ?? ">";
  const sooner: Meaning = ["looser", "ends sooner"];
  const later: Meaning = ["stricter", "ends later"];
  return thresholdVerdict(
    "recovers at",
    seen,
    op.startsWith(">") ? [sooner, later] : [later, sooner],
  );
};

/** @param meanings of a higher number and of a lower one */
function thresholdVerdict(
  label: string,
  { before, after, at, sets }: Seen,
  [higher, lower]: readonly [Meaning, Meaning],
): ReturnType<Judge> {
  const rule = ruleOf(sets.after, at);
  const unit = rule ? unitOfRule(rule, sets.after.metrics) : "number";
  const show = (number: Json | undefined) => threshold(Number(number), unit);
  const meaning = Number(after) > Number(before) ? higher : lower;
  return verdict(`${label} ${show(before)} → ${show(after)}`, meaning);
}

function levelOf({ at, sets }: Seen): AlertLevel | undefined {
  return ruleOf(sets.after, at)?.levels.find((level) => level.id === at[3]);
}

/** A set has thousands of rules, and a difference thousands of changes. */
const rulesBySet = new WeakMap<PolicySet, ReadonlyMap<string, AlertRule>>();

function ruleOf(set: PolicySet, [, name = ""]: readonly string[]): AlertRule | undefined {
  const rules = rulesBySet.get(set) ?? new Map(set.alerts.map((rule) => [rule.name, rule]));
  rulesBySet.set(set, rules);
  return rules.get(name);
}

const judgeOp: Judge = ({ before, after }) => {
  const [from, to] = [String(before), String(after)];
  const words = `fires ${from} → ${to} the threshold`;
  if (from[0] !== to[0]) return verdict(words, ["looser", "on the other side than before"]);
  return verdict(
    words,
    to.endsWith("=") ? ["stricter", "at the threshold too"] : ["looser", "not at it any more"],
  );
};

/** Null means: one good tick ends it. */
const judgeRecover: Judge = ({ before, after }) =>
  before === null || before === undefined
    ? verdict(`recovers only at ${value(after)}`, ["stricter", "ends later"])
    : verdict("recovers with the first good value", ["looser", "ends sooner"]);

const judgeSignal: Judge = ({ before, after }) =>
  verdict(
    `signal ${signal(before as unknown as Signal)} → ${signal(after as unknown as Signal)}`,
    OTHERWISE,
  );

const judgeSelector: Judge = ({ before, after }) => {
  const show = (json: Json | undefined) => selector(json as never);
  return verdict(`${show(before)} → ${show(after)}`, OTHERWISE);
};

const judgeNoData: Judge = ({ before, after }) =>
  verdict(`silence of the metric: ${value(before)} → ${value(after)}`, [
    "looser",
    "judged in another way",
  ]);

/** `sev2 at > 1000 for 5m, told: ops`. */
function levelWords(level: AlertLevel, unit: SignalUnit): string {
  const { severity, op, value, forMs, mOf, notify } = level;
  const lasting = forMs === 0 ? "" : ` for ${duration(forMs)}`;
  const held = mOf ? ` in ${ticks(mOf)}` : lasting;
  return `${severity} at ${op} ${threshold(value, unit)}${held}, told: ${notify.join(", ")}`;
}

const judgeRule: Judge = ({ operation, before, after, sets }) => {
  const isNew = operation.op === "add";
  const rule = (isNew ? after : before) as unknown as AlertRule;
  const unit = unitOfRule(rule, (isNew ? sets.after : sets.before).metrics);
  const levels = rule.levels.map((level) => levelWords(level, unit)).join("; ");
  return verdict(isNew ? "the rule is new" : "the rule is gone, nobody is told any more", [
    isNew ? "new" : "gone",
    isNew ? levels : `was ${levels}`,
  ]);
};

const judgeLevel: Judge = ({ operation, at, before, after, sets }) => {
  const isNew = operation.op === "add";
  const rule = ruleOf(sets.after, at);
  const unit = rule ? unitOfRule(rule, sets.after.metrics) : "number";
  const words = levelWords((isNew ? after : before) as unknown as AlertLevel, unit);
  return verdict(isNew ? "the level is new" : "the level is gone, nobody is told of it any more", [
    isNew ? "new" : "gone",
    isNew ? words : `was ${words}`,
  ]);
};

export const ALERT_ROWS: Rows = {
  "metrics.*": entry({
    added: ["new", "a metric that rules may name"],
    removed: ["gone", "the metric is not known any more"],
  }),
  "metrics.*.unit": exchange("unit", ["looser", "thresholds mean something else"]),
  "metrics.*.kind": exchange("kind"),
  "metrics.*.labels": exchange("labels"),
  "metrics.*.source": exchange("source"),
  "metrics.*.emitter": exchange("emitter"),
  "metrics.*.planned": ({ after }) =>
    after === undefined
      ? verdict("it is emitted now", ["stricter", "rules that waited for it are evaluated"])
      : verdict(`planned: ${value(after)}`, ["looser", "rules on it wait"]),
  "metrics.*.unwatched": exchange("unwatched"),
  "metrics.*.cloudwatch": exchange("in CloudWatch"),
  "metrics.*.help": exchange("help"),

  "alerts.*": judgeRule,
  alerts: ({ operation }) =>
    operation.op === "rename"
      ? verdict(`renamed ${operation.from} → ${operation.to}`, [
          "neutral",
          "alerts that fire under the old name end, and begin anew under the new one",
        ])
      : verdict("rules in another order", ["neutral", ""]),
  "alerts.*.summary": exchange("summary"),
  "alerts.*.everyMs": amount("evaluated every", duration, { more: LATER, less: SOONER }),
  "alerts.*.combine": exchange("series combined by", OTHERWISE),
  "alerts.*.by": exchange("one instance by", OTHERWISE),
  "alerts.*.waitsFor": ({ after }) =>
    after === undefined
      ? verdict("waits for no metric any more", ["stricter", "is evaluated"])
      : verdict(`waits for ${value(after)}`, ["looser", "is not evaluated until then"]),
  "alerts.*.signal": judgeSignal,
  "alerts.*.signal.of": judgeSelector,
  "alerts.*.signal.num": judgeSelector,
  "alerts.*.signal.all": judgeSelector,
  "alerts.*.signal.den": judgeSelector,
  "alerts.*.signal.bad": judgeSelector,
  "alerts.*.signal.slo": amount("objective", percent, { more: SOONER, less: LATER }),
  "alerts.*.signal.longMs": amount("long window", duration, { more: LATER, less: SOONER }),
  "alerts.*.signal.shortMs": amount("short window", duration, { more: LATER, less: SOONER }),
  "alerts.*.signal.fn": exchange("aggregate", OTHERWISE),
  "alerts.*.signal.overMs": amount("window", duration, { more: LATER, less: SOONER }),
  "alerts.*.signal.minAll": amount("judged from", plain, {
    more: ["looser", "fewer cases are judged"],
    less: ["stricter", "more cases are judged"],
  }),
  "alerts.*.signal.fullWindow": toggle("full window", { on: LATER, off: SOONER }),
  "alerts.*.noData": judgeNoData,
  "alerts.*.noData.afterMs": amount("silence counts after", duration, {
    more: ["looser", "noticed later"],
    less: ["stricter", "noticed sooner"],
  }),
  "alerts.*.noData.then": ranked("silence means", ["ok", "hold", "alert", "breach"], {
    more: ["stricter", "silence counts for more"],
    less: ["looser", "silence counts for less"],
  }),
  "alerts.*.cooldownMs": amount("quiet after an end", duration, {
    more: ["looser", "told again later"],
    less: ["stricter", "told again sooner"],
  }),
  "alerts.*.groupBy": judgeGroup,
  "alerts.*.inhibitedBy": judgeInhibitors,
  "alerts.*.groupWaitMs": amount("first word after", duration, {
    more: ["looser", "told later"],
    less: ["stricter", "told sooner"],
  }),
  "alerts.*.groupIntervalMs": amount("between words", duration, {
    more: ["looser", "news is told later"],
    less: ["stricter", "news is told sooner"],
  }),
  "alerts.*.repeatMs": amount("said again every", duration, {
    more: ["looser", "repeated less often"],
    less: ["stricter", "repeated more often"],
  }),

  "alerts.*.levels.*": judgeLevel,
  "alerts.*.levels.*.name": exchange("level"),
  "alerts.*.levels.*.severity": ranked("severity", [...SEVERITIES].reverse(), {
    more: ["stricter", "more urgent"],
    less: ["looser", "less urgent"],
  }),
  "alerts.*.levels.*.op": judgeOp,
  "alerts.*.levels.*.value": judgeValue,
  "alerts.*.levels.*.forMs": amount("must hold", duration, { more: LATER, less: SOONER }),
  "alerts.*.levels.*.mOf": judgeTicks,
  "alerts.*.levels.*.recover": judgeRecover,
  "alerts.*.levels.*.recover.op": exchange("recovers", ["neutral", ""]),
  "alerts.*.levels.*.recover.value": judgeRecoverValue,
  "alerts.*.levels.*.recover.forMs": amount("must be well for", duration, {
    more: ["stricter", "ends later"],
    less: ["looser", "ends sooner"],
  }),
  "alerts.*.levels.*.notify": members({
    lost: ["looser", "no longer told:"],
    gained: ["stricter", "now also told:"],
  }),
  "alerts.*.levels.*.runbook": exchange("runbook"),
};
