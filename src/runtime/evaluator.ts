/**
 * The alert rules of the whole system, judged by one process at a time (design 8.7). It remembers between ticks what
 * the database would tell it, and its memory moves on only after the commit: what fails is forgotten and loaded anew,
 * so that a crash at any point is a tick that was not judged, or one that was judged whole.
 */
import { type CompiledRule, compileRule } from "../alert/compile.js";
import type { Transition } from "../alert/state.js";
import type { PolicySet } from "../policy/policy.js";
import { appendAlertEvents, loadAlertStates, saveAlertStates } from "../store/alerts.js";
import type { Database, Sql } from "../store/database.js";
import { dropLease, keepLease, takeLease } from "../store/lease.js";
import { noteSign } from "../store/signs-of-life.js";
import { EvaluatorBoard } from "./evaluator-board.js";
import {
  changesOf,
  clockOf,
  type DueRule,
  dueRules,
  type Found,
  findOut,
  type States,
  settleMs,
} from "./evaluator-step.js";
import type { Speak, Spoken } from "./speak.js";

export interface EvaluatorDeps {
  readonly db: Database;
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

export const EVALUATOR_LEASE = "alert-evaluator";

/** Of the shortest rule's interval: after so many missed ticks another process takes over. */
const LEASE_TICKS = 2;
const LEASE_MIN_MS = 10_000;

/** A tick whose round of samples does not come is judged all the same, after so many times of its settling. */
const SETTLES_MAX = 3;

export interface Judged {
  readonly transitions: readonly Transition[];
  readonly notices: Spoken["notices"];
}

/** Not now: `waits` for samples of the tick; `elsewhere`: another process judges. */
export type Judgement = Judged | "waits" | "elsewhere";

const NOTHING: Judged = { transitions: [], notices: [] };

interface Memory {
  readonly fence: number;
  readonly states: States;
  readonly samples: EvaluatorBoard;
}

export class Evaluator {
  #memory: Memory | null = null;
  readonly #deps: EvaluatorDeps;

  constructor(deps: EvaluatorDeps) {
    this.#deps = deps;
  }

  /**
   * Judges each rule whose newest settled tick has not been judged. Throws what the database and `speak` throw: then
   * nothing was judged, or the commit's answer was lost, and the next call finds out which.
   */
  async judge(policy: PolicySet, now: Date): Promise<Judgement> {
    const rules = policy.alerts.map((rule) => compileRule(rule, policy.metrics));
    const memory = await this.#follow(await this.#remember(rules, now), rules, now);
    if (memory === null) return "elsewhere";
    const due = dueRules(rules, memory.states, now);
    const isSettled = await this.#isSettled(memory, due, now);
    const { board } = memory.samples;
    const found = isSettled ? findOut({ policy, due, before: memory.states, board, now }) : null;
    if (found === null) {
      this.#memory = memory;
      return isSettled ? NOTHING : "waits";
    }
    // Until the commit is known, nobody knows what the database knows.
    const { db } = this.#deps;
    const stored = await db.transaction((tx) => this.#store(tx, memory, found, { rules, now }));
    if (stored === null) return "elsewhere";
    this.#memory = { ...memory, states: stored.states };
    return { transitions: found.transitions, notices: stored.notices };
  }

  /** Lets another process go on at once. */
  async leave(): Promise<void> {
    const memory = this.#memory;
    this.#memory = null;
    if (memory === null) return;
    const { db, holder } = this.#deps;
    await dropLease(db, { name: EVALUATOR_LEASE, holder, fence: memory.fence });
  }

  /** Takes the memory, so that whatever fails leaves none behind. Null while another process holds the lease. */
  async #remember(rules: readonly CompiledRule[], now: Date): Promise<Memory | null> {
    const memory = this.#memory;
    this.#memory = null;
    if (memory !== null) return memory;
    const { db, holder } = this.#deps;
    const lease = { name: EVALUATOR_LEASE, holder, ttlMs: leaseMs(rules) };
    // Waits for a commit of the former holder that is under way; what he has not begun to store he no longer can.
    const taken = await takeLease(db, lease);
    if (taken === null) return null;
    const plain = rules.map(({ rule }) => rule);
    const states = await loadAlertStates(db, plain);
    return { fence: taken.fence, states, samples: await EvaluatorBoard.load(db, rules, now) };
  }

  async #follow(
    memory: Memory | null,
    rules: readonly CompiledRule[],
    now: Date,
  ): Promise<Memory | null> {
    if (memory === null) return null;
    const { db } = this.#deps;
    const isEnough = memory.samples.serves(rules, now);
    const samples = isEnough ? memory.samples : await EvaluatorBoard.load(db, rules, now);
    await samples.follow(db, now);
    return { ...memory, samples };
  }

  /** Whether the round of each tick is in, or is waited for no longer. */
  async #isSettled({ samples }: Memory, due: readonly DueRule[], now: Date): Promise<boolean> {
    const late = due.filter(({ tick }) => !samples.hasRoundOf(tick));
    if (late.length === 0) return true;
    const isWaiting = late.some(
      ({ compiled, tick }) => now.getTime() - tick < SETTLES_MAX * settleMs(compiled.rule.everyMs),
    );
    if (!isWaiting) await samples.followRows(this.#deps.db, now);
    return !isWaiting;
  }

  /** Null when the lease was lost: then nothing is stored. */
  async #store(
    tx: Sql,
    memory: Memory,
    found: Found,
    { rules, now }: { readonly rules: readonly CompiledRule[]; readonly now: Date },
  ): Promise<{ states: States; notices: Spoken["notices"] } | null> {
    const { holder, speak, onTransitions } = this.#deps;
    const { transitions, removed } = found;
    const lease = { name: EVALUATOR_LEASE, holder, fence: memory.fence, ttlMs: leaseMs(rules) };
    // Locks the lease until we commit: whoever takes it over finds our states, or we have written none.
    if (!(await keepLease(tx, lease))) return null;
    const { states, notices } = await speak(tx, found);
    await saveAlertStates(tx, changesOf(found, states), clockOf(found));
    await appendAlertEvents(tx, transitions);
    if (transitions.length > 0) await onTransitions?.(tx, transitions, found.now);
    await noteSign(tx, "evaluator", now);
    const after = new Map([...memory.states, ...states]);
    for (const { name } of removed) after.delete(name);
    return { states: after, notices };
  }
}

/** Milliseconds. */
function leaseMs(rules: readonly CompiledRule[]): number {
  const shortest = Math.min(...rules.map(({ rule }) => rule.everyMs));
  return Math.max(LEASE_TICKS * shortest, LEASE_MIN_MS);
}
