/** What is worked out of a rule once, and not at every tick. */
import { MINUTE_MS } from "../base/duration.js";
import type { AlertLevel, AlertRule, Metric, Signal } from "../policy/policy.js";
import { selectorsOf } from "../policy/selectors.js";
import { shapeOf } from "./state.js";

export type Metrics = Readonly<Record<string, Metric>>;

export interface CompileOptions {
  /** How old a sample may be and still stand for "now", in milliseconds. */
  readonly lookbackMs?: number;
}

export interface CompiledRule {
  readonly rule: AlertRule;
  /** Fingerprint of what is measured: state of another shape starts afresh. */
  readonly shape: string;
  /** Names of the metrics that it reads, each once. */
  readonly metrics: readonly string[];
  readonly catalogue: Metrics;
  readonly lookbackMs: number;
  /** Milliseconds of samples that one tick looks at; null: the newest of each series, however old. */
  readonly spanMs: number | null;
  /** So long before its first tick a replay must begin, for its states to be those of production, in milliseconds. */
  readonly warmUpMs: number;
}

/** A metric is bridged for four ticks, at least a minute: one lost scrape is not an outage. */
const BRIDGED_TICKS = 4;
const LOOKBACK_MIN_MS = MINUTE_MS;

const compiled = new WeakMap<AlertRule, CompiledRule>();

/** The same object for the same rule and catalogue, unless something is asked for besides. */
export function compileRule(
  rule: AlertRule,
  metrics: Metrics,
  options: CompileOptions = {},
): CompiledRule {
  const known = compiled.get(rule);
  const isPlain = options.lookbackMs === undefined;
  if (isPlain && known?.catalogue === metrics) return known;
  const fresh = compile(rule, metrics, options);
  if (isPlain) compiled.set(rule, fresh);
  return fresh;
}

function compile(rule: AlertRule, catalogue: Metrics, options: CompileOptions): CompiledRule {
  const lookbackMs = options.lookbackMs ?? Math.max(BRIDGED_TICKS * rule.everyMs, LOOKBACK_MIN_MS);
  const windowMs = windowOf(rule.signal);
  return {
    ...{ rule, catalogue, lookbackMs },
    shape: shapeOf(rule),
    metrics: [...new Set(selectorsOf(rule.signal).map(({ metric }) => metric))],
    spanMs: rule.signal.form === "age" ? null : windowMs + lookbackMs,
    warmUpMs: windowMs + lookbackMs + (rule.noData?.afterMs ?? 0) + memoryOf(rule),
  };
}

function windowOf(signal: Signal): number {
  if (signal.form === "burn") return signal.longMs;
  return "overMs" in signal ? signal.overMs : 0;
}

/** How far back the levels remember, in milliseconds. */
function memoryOf({ levels, everyMs }: AlertRule): number {
  const entering = ({ forMs, mOf }: AlertLevel) => (mOf ? mOf[1] * everyMs : forMs);
  return Math.max(...levels.map((level) => entering(level) + (level.recover?.forMs ?? 0)));
}
