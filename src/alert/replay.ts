/**
 * A rule over the past: what production would have remembered and said, tick by tick, out of the same readers and the
 * same step. Ticks between two that can be news are not stepped, only counted (docs/decisions/0044).
 */
import type { AlertRule } from "../policy/policy.js";
import type { Board } from "./board.js";
import { type CompiledRule, type CompileOptions, compileRule, type Metrics } from "./compile.js";
import { readInto } from "./reader.js";
import { moveClock } from "./restore.js";
import { hasChanged } from "./row-change.js";
import { groupInstances, type Measured } from "./signal.js";
import type { InstanceState, RuleState, Transition } from "./state.js";
import { freshInstance, isForgettable, stepInstance } from "./step-instance.js";
import { transitionOf } from "./transition.js";
import { type Classifier, classifierOf, NO_VALUE, nextDeadline } from "./value-class.js";

export interface ReplayInput {
  readonly rule: AlertRule;
  readonly metrics: Metrics;
  readonly board: Board;
  /** Milliseconds; ticks are aligned to the epoch, both ends included. */
  readonly from: number;
  readonly to: number;
  readonly state?: RuleState;
  readonly options?: CompileOptions & {
    /** Steps each tick, for the proof that it makes no difference. */
    readonly everyTick?: boolean;
  };
}

export interface Replayed {
  readonly state: RuleState;
  readonly transitions: readonly Transition[];
  /** Judged ticks, summed over instances. */
  readonly ticks: number;
  /** Of these, without data. */
  readonly missingTicks: number;
  /** Instances whose memory changed, by time: what decides who is told. */
  readonly changes: readonly Change[];
}

export interface Change {
  readonly at: number;
  readonly instance: string;
  readonly state: InstanceState;
}

export function replayRule(input: ReplayInput): Replayed {
  const { rule, metrics, board, options = {}, state = {} } = input;
  const { everyTick = false, ...compileOptions } = options;
  const compiled = compileRule(rule, metrics, compileOptions);
  const from = Math.ceil(input.from / rule.everyMs) * rule.everyMs;
  const classes = classifierOf(rule);
  const walks = instancesOf(compiled, board, state).map((measured) => {
    const known = state[measured.instance] ?? null;
    const walk = new Walk(compiled, measured, known, classes, everyTick);
    walk.run(from, input.to);
    return walk;
  });
  const kept = walks.flatMap(({ measured, state: last }): [string, InstanceState][] =>
    last ? [[measured.instance, last]] : [],
  );
  return {
    state: Object.fromEntries(kept),
    transitions: byTime(walks.map(({ transitions }) => transitions)),
    ticks: walks.reduce((sum, { ticks }) => sum + ticks, 0),
    missingTicks: walks.reduce((sum, { missingTicks }) => sum + missingTicks, 0),
    changes: byTime(walks.map(({ changes }) => changes)),
  };
}

/** Those that have samples, and those that are only remembered. */
function instancesOf(compiled: CompiledRule, board: Board, state: RuleState): Measured[] {
  const measured = groupInstances(compiled, board);
  const found = new Set(measured.map(({ instance }) => instance));
  const silent = Object.entries(state).filter(([instance]) => !found.has(instance));
  return [...measured, ...silent.map(([instance, { labels }]) => silentInstance(instance, labels))];
}

function silentInstance(instance: string, labels: InstanceState["labels"]): Measured {
  const reader = { valueAt: () => Number.NaN, freeze: () => {} };
  return { instance, labels, reader, speaksAt: () => false };
}

/** Those of one instance stand in order already. */
function byTime<T extends { readonly at: number }>(stories: readonly T[][]): readonly T[] {
  return stories.length === 1 ? stories[0]! : stories.flat().sort((a, b) => a.at - b.at);
}

/** So many ticks are read at once. */
const BLOCK_TICKS = 4_096;

/** One instance from the first tick to the last. Instances of a rule know nothing of each other. */
class Walk {
  readonly transitions: Transition[] = [];
  readonly changes: Change[] = [];
  ticks = 0;
  missingTicks = 0;
  readonly #classes: Classifier;
  /** Of the last step: ticks of the same class before the deadline are not stepped. */
  #class = NO_VALUE;
  /** Values between these two are surely of that class: the two comparisons that most ticks cost. */
  #low = Number.NaN;
  #high = Number.NaN;
  #deadline = Number.NEGATIVE_INFINITY;

  constructor(
    readonly compiled: CompiledRule,
    readonly measured: Measured,
    public state: InstanceState | null,
    classes: Classifier,
    readonly everyTick: boolean,
  ) {
    this.#classes = classes;
  }

  run(from: number, to: number): void {
    const { everyMs } = this.compiled.rule;
    const { reader } = this.measured;
    reader.freeze(from, to);
    const values = new Float64Array(BLOCK_TICKS);
    for (let first = from; first <= to; first += BLOCK_TICKS * everyMs) {
      const count = Math.min(BLOCK_TICKS, Math.floor((to - first) / everyMs) + 1);
      readInto(values, reader, { from: first, everyMs, count });
      this.#walk(values, first, count);
    }
  }

  #walk(values: Float64Array, first: number, count: number): void {
    const { everyMs } = this.compiled.rule;
    for (let i = this.#pass(values, first, 0, count); i < count; ) {
      this.#look(values[i]!, first + i * everyMs);
      i = this.#pass(values, first, i + 1, count);
    }
  }

  /** The first tick, from `start` on, that is not surely like the last. */
  #pass(values: Float64Array, first: number, start: number, count: number): number {
    const { everyMs } = this.compiled.rule;
    if (this.state === null) return start;
    const end = Math.min(count, Math.ceil((this.#deadline - first) / everyMs));
    let i = start;
    if (this.#class === NO_VALUE) {
      while (i < end && Number.isNaN(values[i])) i += 1;
      this.missingTicks += i - start;
    } else {
      const [low, high] = [this.#low, this.#high];
      while (i < end && values[i]! > low && values[i]! < high) i += 1;
    }
    if (i === start) return start;
    this.ticks += i - start;
    this.state = moveClock(this.state, first + (i - 1) * everyMs, values[i - 1]!);
    return i;
  }

  #look(read: number, tick: number): void {
    const { by, signal } = this.compiled.rule;
    const isUnknown = this.state === null && by.length > 0 && !Number.isFinite(read);
    if (isUnknown && !this.measured.speaksAt(tick)) return;
    const isAge = signal.form === "age" && Number.isNaN(read);
    const value = isAge ? this.#silentFor(tick) : read;
    this.ticks += 1;
    if (!Number.isFinite(value)) this.missingTicks += 1;
    const isAlike = tick < this.#deadline && this.#classes.classOf(value) === this.#class;
    if (isAlike) this.state = moveClock(this.state!, tick, value);
    else this.#step(tick, read);
  }

  /** The `age` form before the first sample: as old as our waiting for it. Seconds. */
  #silentFor(tick: number): number {
    return this.state ? (tick - this.state.knownSince) / 1_000 : 0;
  }

  #step(tick: number, value: number): void {
    const { compiled, measured } = this;
    const { rule } = compiled;
    const { instance, labels } = measured;
    const known = this.state;
    const before = known ?? freshInstance(compiled, labels, tick);
    const reading = Number.isFinite(value) ? value : null;
    const after = stepInstance(compiled, before, labels, reading, tick);
    const transition = transitionOf(rule, instance, before, after);
    if (transition) this.transitions.push(transition);
    const isForgotten = isForgettable(rule, after, tick);
    if (!isForgotten && (known === null || hasChanged(known, after)))
      this.changes.push({ at: tick, instance, state: after });
    this.state = isForgotten ? null : after;
    const seen = after.seen ? after.value! : Number.NaN;
    this.#class = this.#classes.classOf(seen);
    [this.#low, this.#high] = this.#classes.between(this.#class);
    const mayBeNext = isForgotten || this.everyTick;
    this.#deadline = mayBeNext ? Number.NEGATIVE_INFINITY : nextDeadline(rule, after);
  }
}
