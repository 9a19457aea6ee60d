/**
 * The samples that the rules in force look at, kept in memory by the process that judges: loaded once when it takes
 * over, then only rounds that are new are read. So a rule over three days costs memory, and no statement.
 */
import { Board } from "../alert/board.js";
import type { CompiledRule } from "../alert/compile.js";
import { HOUR_MS, MINUTE_MS } from "../base/duration.js";
import type { Sql } from "../store/database.js";
import { loadBoard } from "../store/sample-history.js";
import { type KnownRound, type Round, readRoundsSince } from "../store/sample-rounds.js";
import { readLatest, readWindows } from "../store/samples.js";

/** Of the rounds of the process that leads: with them most of what rules look at is in. */
export const LEADER_SOURCE = "leader";

/** A round may be stored so late and still be seen: so much is read again each time. */
const LATE_MS = 2 * MINUTE_MS;
/** Rounds are folded into days after two hours: who slept longer than this loads anew. */
const ASLEEP_MS = HOUR_MS;
/** Shorter spans are loaded and kept together: one statement for most rules. */
const SPAN_MIN_MS = HOUR_MS;

/** By metric: how many milliseconds are looked at; 0: only the newest sample of each series. */
type Spans = ReadonlyMap<string, number>;

/** What these rules need to be judged at `to`: also for a look at what a policy would do. */
export async function loadRuleBoard(
  sql: Sql,
  rules: readonly CompiledRule[],
  to: Date,
): Promise<Board> {
  const spans = spansOf(rules);
  const board = new Board();
  for (const span of new Set(spans.values())) {
    if (span === 0) continue;
    const metrics = [...spans].flatMap(([metric, its]) => (its === span ? [metric] : []));
    const from = new Date(to.getTime() - span);
    adoptAll(board, await loadBoard(sql, { metrics, from, to }), metrics);
  }
  const ages = rules.flatMap(({ metrics, spanMs }) => (spanMs === null ? metrics : []));
  for (const { metric, labels, points } of await readLatest(sql, [...new Set(ages)], to)) {
    for (const { at, value } of points) board.append(metric, labels, at, value);
  }
  return board;
}

function spansOf(rules: readonly CompiledRule[]): Map<string, number> {
  const spans = new Map<string, number>();
  for (const { metrics, spanMs } of rules) {
    const span = spanMs === null ? 0 : Math.max(spanMs, SPAN_MIN_MS);
    for (const metric of metrics) spans.set(metric, Math.max(span, spans.get(metric) ?? 0));
  }
  return spans;
}

function adoptAll(board: Board, loaded: Board, metrics: readonly string[]): void {
  for (const metric of metrics) {
    for (const { labels, times, values, length } of loaded.columnsOf(metric)) {
      // A copy: what was loaded may be a view of whole days, of which an hour is wanted.
      board.adopt(metric, labels, times.slice(0, length), values.slice(0, length));
    }
  }
}

export class EvaluatorBoard {
  /** The newest round of the leader that is on it, in milliseconds. */
  #leaderAt = Number.NEGATIVE_INFINITY;
  #trimmedAt: number;
  /** Rounds that may still be added to, by name, as they are on the board. */
  #known: ReadonlyMap<string, KnownRound> = new Map();

  private constructor(
    readonly board: Board,
    private readonly spans: Spans,
    private followedTo: Date,
  ) {
    this.#trimmedAt = followedTo.getTime();
  }

  static async load(sql: Sql, rules: readonly CompiledRule[], to: Date): Promise<EvaluatorBoard> {
    return new EvaluatorBoard(await loadRuleBoard(sql, rules, to), spansOf(rules), to);
  }

  /** Whether following is enough: the rules look at nothing new and nothing longer, and nothing was slept through. */
  serves(rules: readonly CompiledRule[], now: Date): boolean {
    if (now.getTime() - this.followedTo.getTime() > ASLEEP_MS) return false;
    return [...spansOf(rules)].every(([metric, span]) => (this.spans.get(metric) ?? -1) >= span);
  }

  /** Whether the leader's round of this moment, or a later one, is in. */
  hasRoundOf(ms: number): boolean {
    return this.#leaderAt >= ms;
  }

  /** Two statements: rounds that were stored since, also late ones. */
  async follow(sql: Sql, to: Date): Promise<void> {
    const after = this.#after();
    const known = [...this.#known.values()].filter(({ slot }) => slot > after);
    // A round that was added to is longer.
    const rounds = await readRoundsSince(sql, after, to, { known });
    for (const round of rounds) this.#add(round);
    const added = rounds.map(({ slot, source, samples }) => ({
      slot,
      source,
      count: samples.length,
    }));
    this.#known = new Map([...known, ...added].map((round) => [nameOf(round), round]));
    this.#followed(to);
  }

  /** Also what stands in rows: beside us a process of the version before may be the one that collects. */
  async followRows(sql: Sql, to: Date): Promise<void> {
    const from = this.#after();
    const wanted = [...this.spans.keys()].map((metric) => ({ metric, from }));
    for (const { metric, labels, points } of await readWindows(sql, wanted, to)) {
      for (const { at, value } of points) this.board.append(metric, labels, at, value);
    }
    this.#followed(to);
  }

  #add({ slot, source, samples }: Round): void {
    const at = slot.getTime();
    if (source === LEADER_SOURCE) this.#leaderAt = Math.max(this.#leaderAt, at);
    for (const { metric, labels, value } of samples) {
      if (this.spans.has(metric)) this.board.append(metric, labels, at, value);
    }
  }

  #after(): Date {
    return new Date(this.followedTo.getTime() - LATE_MS);
  }

  #followed(to: Date): void {
    this.followedTo = to;
    const now = to.getTime();
    if (now - this.#trimmedAt < MINUTE_MS) return;
    this.board.trim((metric) => now - (this.spans.get(metric) ?? 0));
    this.#trimmedAt = now;
  }
}

function nameOf({ slot, source }: KnownRound): string {
  return `${slot.getTime()} ${source}`;
}
