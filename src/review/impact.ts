/** What to make of a backtest: whether somebody should look, and whether there is enough to tell at all. Pure. */
import { DAY_MS } from "../base/duration.js";
import { COVERAGE_MIN, type RuleImpact } from "./backtest.js";

/** The worst last. */
export const VERDICTS = ["ok", "look", "cannot-tell", "block"] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface JudgedImpact extends RuleImpact {
  readonly verdict: Verdict;
  /** Why, in a few words. */
  readonly because: string;
}

export interface ImpactReport {
  readonly environment: string;
  /** Where the samples are from: `db`, `prometheus:prom.example.com`. */
  readonly history: string;
  /** ISO 8601. */
  readonly from: string;
  readonly to: string;
  /** Why nothing could be read; null: it could. */
  readonly unknown: string | null;
  readonly rules: readonly JudgedImpact[];
  /** The worst of all rules; without changed rules `ok`. */
  readonly verdict: Verdict;
}

export type Backtested = Omit<ImpactReport, "rules" | "verdict"> & {
  readonly rules: readonly RuleImpact[];
};

/** So many times as many pages, and so many more a week, are too many to be let in by accident. */
const PAGES_FACTOR = 3;
const PAGES_MORE_A_WEEK = 5;

export function judgeImpact(backtested: Backtested): ImpactReport {
  const spanMs = Date.parse(backtested.to) - Date.parse(backtested.from);
  const rules = backtested.rules.map((rule) => ({ ...rule, ...judge(rule, spanMs) }));
  const known: Verdict[] = backtested.unknown === null ? [] : ["cannot-tell"];
  const verdicts = [...known, ...rules.map(({ verdict }) => verdict)];
  const worst = Math.max(0, ...verdicts.map((one) => VERDICTS.indexOf(one)));
  return { ...backtested, rules, verdict: VERDICTS[worst]! };
}

function judge(rule: RuleImpact, spanMs: number): Pick<JudgedImpact, "verdict" | "because"> {
  const { coverage, poorest, before, after } = rule;
  if (coverage < COVERAGE_MIN)
    return { verdict: "cannot-tell", because: `too few samples of ${poorest}` };
  const [old, now] = [before?.pages ?? 0, after?.pages ?? 0];
  const weeks = (coverage * spanMs) / (7 * DAY_MS);
  if (now >= PAGES_FACTOR * old && now - old >= PAGES_MORE_A_WEEK * Math.max(weeks, 1))
    return {
      verdict: "block",
      because: `${perWeek(old, weeks)} → ${perWeek(now, weeks)} pages a week`,
    };
  if (now !== old) return { verdict: "look", because: now > old ? "more pages" : "fewer pages" };
  const [fewer, more] = [rule.onlyBefore, rule.onlyAfter].map(({ shown }) => shown.length > 0);
  if (fewer && more) return { verdict: "look", because: "other firings" };
  if (fewer || more) return { verdict: "look", because: fewer ? "fewer firings" : "more firings" };
  if (before?.messages !== after?.messages && before && after)
    return { verdict: "look", because: "other messages" };
  return { verdict: "ok", because: "the same was told" };
}

function perWeek(pages: number, weeks: number): string {
  return String(Math.round((10 * pages) / weeks) / 10);
}
