/**
 * What changed alert rules would have done over recorded samples: old and new by the evaluator of production, over the
 * same columns (design 2.5, 8.9). Pure; times are milliseconds since the epoch.
 */
import type { Board } from "../alert/board.js";
import { compileRule } from "../alert/compile.js";
import { type Replayed, replayRule } from "../alert/replay.js";
import { HOUR_MS } from "../base/duration.js";
import { canonicalJson } from "../base/json.js";
import type { AlertRule, PolicySet } from "../policy/policy.js";
import { type Firing, firingsOf, within, without } from "./firing.js";
import { type RuleFigures, ruleFigures } from "./rule-figures.js";
import { wordsOf } from "./said.js";

export interface BacktestInput {
  readonly before: PolicySet;
  readonly after: PolicySet;
  /** With the warm-up: see `neededHistory`. */
  readonly board: Board;
  readonly from: number;
  readonly to: number;
}

export interface RuleImpact {
  readonly rule: string;
  readonly change: "new" | "gone" | "changed";
  readonly before: RuleFigures | null;
  readonly after: RuleFigures | null;
  /** Hours in which there are samples of every metric that it needs, of all hours. */
  readonly coverage: number;
  /** The metric of which there is least. */
  readonly poorest: string | null;
  /** Firings that the other side does not have, the oldest first; at most `SHOWN_MAX`, `more` counts the rest. */
  readonly onlyBefore: FiringList;
  readonly onlyAfter: FiringList;
}

export interface FiringList {
  readonly shown: readonly Firing[];
  readonly more: number;
}

const SHOWN_MAX = 10;

/** Of samples in less than this share of the hours nothing follows. */
export const COVERAGE_MIN = 0.2;

/** A rule as it was and as it is to be; at least one of them. */
interface Pair {
  readonly was: AlertRule | null;
  readonly is: AlertRule | null;
}

export function backtest(input: BacktestInput): RuleImpact[] {
  const [before, after] = [input.before, input.after].map((set) => new Side(set, input));
  return changedRules(input.before, input.after).map(({ was, is }) => {
    const [old, now] = [was && before!.play(was), is && after!.play(is)];
    const { share, poorest } = coverageOf([was, is], input);
    return {
      rule: (is ?? was)!.name,
      change: was === null ? "new" : is === null ? "gone" : "changed",
      before: old?.figures ?? null,
      after: now?.figures ?? null,
      ...{ coverage: share, poorest },
      onlyBefore: listed(without(old?.firings ?? [], now?.firings ?? [])),
      onlyAfter: listed(without(now?.firings ?? [], old?.firings ?? [])),
    };
  });
}

/** What a backtest of these must be given: metrics, and how much more than the time that is judged. */
export function neededHistory(
  before: PolicySet,
  after: PolicySet,
): { readonly metrics: readonly string[]; readonly warmUpMs: number } {
  const pairs = changedRules(before, after);
  const rules = [
    ...withParents(
      pairs.flatMap(({ was }) => was ?? []),
      before,
    ).map((rule) => compileRule(rule, before.metrics)),
    ...withParents(
      pairs.flatMap(({ is }) => is ?? []),
      after,
    ).map((rule) => compileRule(rule, after.metrics)),
  ];
  const metrics = [...new Set(rules.flatMap((rule) => rule.metrics))].sort();
  // Twice: the windows of the first tick of the warm-up lie before it.
  return { metrics, warmUpMs: 2 * Math.max(0, ...rules.map(({ warmUpMs }) => warmUpMs)) };
}

/** By name, those of the new policy first. Words and routes of people are no change of what fires. */
export function changedRules(before: PolicySet, after: PolicySet): Pair[] {
  const old = new Map(before.alerts.map((rule) => [rule.name, rule]));
  const now = new Set(after.alerts.map(({ name }) => name));
  const changed = after.alerts.flatMap((is): Pair[] => {
    const was = old.get(is.name) ?? null;
    return was && meaningOf(was) === meaningOf(is) ? [] : [{ was, is }];
  });
  const gone = before.alerts.filter(({ name }) => !now.has(name));
  return [...changed, ...gone.map((was) => ({ was, is: null }))];
}

function meaningOf({ summary: _, levels, ...rule }: AlertRule): string {
  return canonicalJson({
    ...rule,
    levels: levels.map(({ runbook: _book, ...level }) => level),
  });
}

function withParents(rules: readonly AlertRule[], { alerts }: PolicySet): AlertRule[] {
  const names = rules.flatMap(({ inhibitedBy }) => inhibitedBy.map(({ rule }) => rule));
  return [...new Set([...rules, ...alerts.filter(({ name }) => names.includes(name))])];
}

interface Played {
  readonly firings: readonly Firing[];
  readonly figures: RuleFigures;
}

/** One of the two policies over the samples. */
class Side {
  readonly #policy: PolicySet;
  readonly #input: BacktestInput;
  readonly #replays = new Map<AlertRule, Replayed>();

  constructor(policy: PolicySet, input: BacktestInput) {
    this.#policy = policy;
    this.#input = input;
  }

  play(rule: AlertRule): Played {
    const { from, to } = this.#input;
    const replayed = this.#replay(rule);
    const parents = new Map(
      rule.inhibitedBy.map(({ rule: name }): [string, Firing[]] => [name, this.#burning(name)]),
    );
    const said = wordsOf({ rule, policy: this.#policy, replayed, parents, to });
    const firings = within(this.#firings(rule), from, to);
    return { firings, figures: ruleFigures({ replayed, firings, said, from, to }) };
  }

  /** A parent of which nobody measured anything is not taken for silent, and so for dead: it inhibits nobody. */
  #burning(name: string): Firing[] {
    const { alerts, metrics } = this.#policy;
    const parent = alerts.find((one) => one.name === name);
    if (!parent || parent.waitsFor) return [];
    const { share } = poorestOf(compileRule(parent, metrics).metrics, this.#input);
    return share < COVERAGE_MIN ? [] : this.#firings(parent);
  }

  #firings(rule: AlertRule): Firing[] {
    return firingsOf(
      this.#replay(rule).transitions,
      rule.levels.map(({ id }) => id),
    );
  }

  #replay(rule: AlertRule): Replayed {
    const known = this.#replays.get(rule);
    if (known) return known;
    const { metrics } = this.#policy;
    const { board, from, to } = this.#input;
    const { warmUpMs } = compileRule(rule, metrics);
    const replayed = replayRule({ rule, metrics, board, from: from - warmUpMs, to });
    this.#replays.set(rule, replayed);
    return replayed;
  }
}

function listed(only: readonly Firing[]): FiringList {
  return { shown: only.slice(0, SHOWN_MAX), more: Math.max(only.length - SHOWN_MAX, 0) };
}

interface Coverage {
  readonly share: number;
  readonly poorest: string | null;
}

/** Of what both rules read; of a metric that nobody emits yet there is nothing. */
function coverageOf([was, is]: readonly (AlertRule | null)[], input: BacktestInput): Coverage {
  const old = was ? compileRule(was, input.before.metrics).metrics : [];
  const now = is ? compileRule(is, input.after.metrics).metrics : [];
  return poorestOf([...old, ...now], input);
}

function poorestOf(metrics: readonly string[], input: BacktestInput): Coverage {
  return [...new Set(metrics)].reduce<Coverage>(
    (least, metric) => {
      const share = shareOfHours(metric, input);
      return share < least.share ? { share, poorest: metric } : least;
    },
    { share: 1, poorest: null },
  );
}

function shareOfHours(metric: string, { board, from, to }: BacktestInput): number {
  const hours = Math.ceil((to - from) / HOUR_MS);
  const seen = new Uint8Array(hours);
  for (const { times, length } of board.columnsOf(metric)) {
    for (let i = 0; i < length; i += 1) {
      // (from, to]: what was measured at the end belongs to the last hour.
      const hour = Math.ceil((times[i]! - from) / HOUR_MS) - 1;
      if (hour >= 0 && hour < hours) seen[hour] = 1;
    }
  }
  return hours === 0 ? 0 : seen.reduce((sum, one) => sum + one, 0) / hours;
}
