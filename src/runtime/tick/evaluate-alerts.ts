/**
 * Judges the rules that are due: samples and former states in, new states, events and notices out, in one
 * transaction. Any process may run it; a lease of its own lets one at a time (design 8.7).
 */
import { type Board, boardOf } from "../../alert/board.js";
import { type CompiledRule, compileRule } from "../../alert/compile.js";
import { type Step, stepRule } from "../../alert/evaluate.js";
import { endRemovedRule, type RemovedRule } from "../../alert/removed-rule.js";
import { readValues } from "../../alert/signal.js";
import type { RuleState, Transition } from "../../alert/state.js";
import type { Logger } from "../../base/log.js";
import type { AlertRule, PolicySet } from "../../policy/policy.js";
import { appendAlertEvents, loadAlertStates, saveAlertStates } from "../../store/alerts.js";
import type { Database, Sql } from "../../store/database.js";
import { keepLease, takeLease } from "../../store/lease.js";
import { readLatest, readWindows } from "../../store/samples.js";
import type { Speak, Spoken } from "../speak.js";
import type { Tick } from "../ticker.js";

export interface EvaluateAlertsDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  readonly log: Logger;
  /** This process, e.g. `host:pid:random`. */
  readonly holder: string;
  readonly speak: Speak;
  /** For automation on alerts: in the transaction that records the transitions, so neither is without the other. */
  readonly onTransitions?: (
    tx: Sql,
    transitions: readonly Transition[],
    now: Date,
  ) => Promise<void>;
}

/** Its `beatAt` is when rules were last judged: what the watchdog looks at. */
export const EVALUATOR_LEASE = "alert-evaluator";

/** Looks this often whether a rule is due; while none is, no statement is sent. */
const LOOK_EVERY_MS = 1_000;
/** Of the shortest rule's interval: after so many missed ticks another process takes over. */
const LEASE_TICKS = 3;
const LEASE_MIN_MS = 10_000;

export function createEvaluateAlertsTick(deps: EvaluateAlertsDeps): Tick {
  /** The last tick of each rule that this process judged or left to another: the database is asked once a tick. */
  const judged = new Map<string, number>();
  return {
    name: "evaluate-alerts",
    everyMs: LOOK_EVERY_MS,
    run: async (now) => {
      const policy = withoutWaitingRules(deps.policy());
      const isDue = (rule: AlertRule) => (judged.get(rule.name) ?? 0) < tickOf(rule, now);
      if (!policy.alerts.some(isDue)) return;
      const done = await judgeUnderLease(deps, policy, now);
      for (const rule of policy.alerts) judged.set(rule.name, tickOf(rule, now));
      if (done) tell(deps.log, done);
    },
  };
}

/** A rule on a metric that nobody emits yet would find it missing: such a rule is shown, and not judged. */
function withoutWaitingRules(policy: PolicySet): PolicySet {
  return { ...policy, alerts: policy.alerts.filter(({ waitsFor = [] }) => waitsFor.length === 0) };
}

/** Null when another process judges. */
async function judgeUnderLease(
  deps: EvaluateAlertsDeps,
  policy: PolicySet,
  now: Date,
): Promise<Judged | null> {
  const ttlMs = leaseMs(policy.alerts);
  const lease = { name: EVALUATOR_LEASE, holder: deps.holder, ttlMs };
  const taken = await takeLease(deps.db, lease);
  if (!taken) return null;
  return deps.db.transaction(async (tx) => {
    // Locks the lease until we commit: whoever takes it over finds our states, or we have written none.
    const isOurs = await keepLease(tx, { ...lease, fence: taken.fence });
    return isOurs ? judge(tx, policy, now, deps) : null;
  });
}

/** Ticks are aligned to the epoch, so a restart does not shift them. Milliseconds. */
function tickOf(rule: AlertRule, now: Date): number {
  return Math.floor(now.getTime() / rule.everyMs) * rule.everyMs;
}

function leaseMs(rules: readonly AlertRule[]): number {
  const shortest = Math.min(...rules.map(({ everyMs }) => everyMs));
  return Math.max(LEASE_TICKS * shortest, LEASE_MIN_MS);
}

interface Judged {
  readonly transitions: readonly Transition[];
  readonly notices: Spoken["notices"];
}

async function judge(
  tx: Sql,
  policy: PolicySet,
  now: Date,
  deps: EvaluateAlertsDeps,
): Promise<Judged> {
  const former = await loadAlertStates(tx);
  const due = policy.alerts
    .filter((rule) => lastTick(former.get(rule.name)) < tickOf(rule, now))
    .map((rule) => compileRule(rule, policy.metrics));
  const samples = await readSamples(tx, due, now);
  const removed = removedRules(former, policy, now);
  const transitions = removed.flatMap((one) => endRemovedRule(one).transitions);
  const judged = new Map<string, RuleState>();
  for (const rule of due) {
    const { name } = rule.rule;
    const step = judgeRule(rule, former.get(name) ?? {}, samples, now);
    transitions.push(...step.transitions);
    judged.set(name, step.state);
  }
  const spoken = await deps.speak(tx, { policy, states: judged, transitions, removed, now });
  const gone = removed.map(({ name }): [string, RuleState] => [name, {}]);
  await saveAlertStates(tx, new Map([...spoken.states, ...gone]), now);
  await appendAlertEvents(tx, transitions);
  if (transitions.length > 0) await deps.onTransitions?.(tx, transitions, now);
  return { transitions, notices: spoken.notices };
}

function removedRules(
  former: ReadonlyMap<string, RuleState>,
  { alerts, system }: PolicySet,
  now: Date,
): RemovedRule[] {
  const inForce = new Set(alerts.map(({ name }) => name));
  return [...former]
    .filter(([name]) => !inForce.has(name))
    .map(([name, state]) => ({ name, state, system, now }));
}

/** Milliseconds; -1 when the rule has no state yet. */
function lastTick(state: RuleState | undefined): number {
  return Math.max(-1, ...Object.values(state ?? {}).map(({ tickAt }) => tickAt));
}

interface Samples {
  readonly windows: Board;
  /** For the `age` form, by tick: the newest sample before it, however old. */
  readonly latest: ReadonlyMap<number, Board>;
}

/** One statement for all windows, and one for each tick at which ages are due: commonly a single one. */
async function readSamples(tx: Sql, rules: readonly CompiledRule[], now: Date): Promise<Samples> {
  const needs = rules.flatMap(({ rule, metrics, spanMs }) =>
    metrics.map((metric) => ({ metric, spanMs, tick: tickOf(rule, now) })),
  );
  const windows = needs.flatMap(({ metric, spanMs, tick }) =>
    spanMs === null ? [] : [{ metric, from: new Date(tick - spanMs) }],
  );
  const ages = needs.filter(({ spanMs }) => spanMs === null);
  const latest = new Map<number, Board>();
  for (const tick of new Set(ages.map((need) => need.tick))) {
    const metrics = ages.filter((need) => need.tick === tick).map(({ metric }) => metric);
    latest.set(tick, boardOf(await readLatest(tx, metrics, new Date(tick))));
  }
  return { windows: boardOf(await readWindows(tx, windows, now)), latest };
}

function judgeRule(compiled: CompiledRule, state: RuleState, samples: Samples, now: Date): Step {
  const tick = tickOf(compiled.rule, now);
  const board = compiled.spanMs === null ? samples.latest.get(tick)! : samples.windows;
  const readings = readValues(compiled, board, tick);
  return stepRule({ rule: compiled, state, readings, now: new Date(tick) });
}

function tell(log: Logger, done: Judged): void {
  for (const { rule, instance, kind, level, severity, value } of done.transitions) {
    log.info("alert.changed", {
      rule,
      instance,
      transition: kind,
      level_id: level,
      severity,
      value,
    });
  }
  for (const { receiver, dedupKey, action, reason } of done.notices) {
    log.info("notice.enqueued", { receiver, dedup_key: dedupKey, action, reason });
  }
}
