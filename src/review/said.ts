/**
 * What would have been said of a replayed rule: the groups of each receiver, stepped as production steps them, at every
 * tick at which they can have something new to say. Buckets and digests are not part of it: they depend on all rules.
 */
import { findInhibitor } from "../alert/inhibit.js";
import { type KnownGroup, type Mute, type PlannedGroup, planGroups } from "../alert/plan-groups.js";
import type { Replayed } from "../alert/replay.js";
import { alertLabels, findSilence, type Silence } from "../alert/silence.js";
import { type InstanceState, levelIndex, type RuleState } from "../alert/state.js";
import { writeTold } from "../alert/told.js";
import { type AlertRule, type PolicySet, SEVERITIES, type Severity } from "../policy/policy.js";
import { type Firing, Sweep } from "./firing.js";

export interface Said {
  /** Milliseconds. */
  readonly at: number;
  readonly receiver: string;
  readonly groupKey: string;
  readonly action: "trigger" | "resolve";
  /** The worst of what fires; null: nothing does any more. */
  readonly severity: Severity | null;
}

export interface SayingInput {
  readonly rule: AlertRule;
  readonly policy: PolicySet;
  readonly replayed: Pick<Replayed, "changes">;
  /** What the rule's parents fired, by their names. */
  readonly parents: ReadonlyMap<string, readonly Firing[]>;
  readonly to: number;
  /** Looks at each tick, for the proof that it makes no difference. */
  readonly everyTick?: boolean;
}

/** In order of time. */
export function wordsOf(input: SayingInput): Said[] {
  const { rule } = input;
  const changes = audibleOf(input.replayed.changes);
  const saying = new Saying(input);
  const given = agenda(input, changes);
  let [change, wake] = [0, 0];
  let at = Number.NEGATIVE_INFINITY;
  for (;;) {
    while (wake < given.length && given[wake]! <= at) wake += 1;
    at = Math.min(given[wake] ?? Number.POSITIVE_INFINITY, saying.nextAt(at));
    if (at > input.to) return saying.said;
    // Ticks are those of the rule, whoever asks for a look.
    at = Math.ceil(at / rule.everyMs) * rule.everyMs;
    for (; change < changes.length && changes[change]!.at <= at; change += 1)
      saying.take(changes[change]!.instance, changes[change]!.state);
    saying.step(at);
  }
}

/** What is pending is nobody's news. */
function audibleOf(changes: Replayed["changes"]): Replayed["changes"] {
  const last = new Map<string, InstanceState>();
  return changes.filter(({ instance, state }) => {
    const before = last.get(instance);
    last.set(instance, state);
    const { level, begun, endedByEdit } = state;
    if (!before) return level !== null;
    const isSame = before.level === level && before.endedByEdit === endedByEdit;
    return !isSame || before.begun?.at !== begun?.at;
  });
}

/** Times at which something happens from outside: changes, and what mutes beginning or ending. Ascending. */
function agenda({ parents, policy }: SayingInput, changes: Replayed["changes"]): number[] {
  const silences = policy.silences.flatMap(({ starts, ends }) => [starts, ends].map(Date.parse));
  const muting = [...parents.values()].flat().flatMap(({ from, to }) => [from, to ?? from]);
  const all = [...changes.map(({ at }) => at), ...silences, ...muting];
  return [...new Set(all)].sort((a, b) => a - b);
}

class Saying {
  readonly said: Said[] = [];
  #state: Record<string, InstanceState> = {};
  #groups: KnownGroup[] = [];
  readonly #input: SayingInput;
  readonly #silences: readonly Silence[];
  /** By the name of the parent; looked at once for each time, which only grows. */
  readonly #parents: readonly { readonly rule: string; readonly sweep: Sweep }[];

  constructor(input: SayingInput) {
    this.#input = input;
    this.#silences = input.policy.silences.map(toSilence);
    this.#parents = [...input.parents].map(([rule, firings]) => ({
      rule,
      sweep: new Sweep(firings),
    }));
  }

  /** The replay knows what was measured; what was told, we know. */
  take(instance: string, state: InstanceState): void {
    const { told = null, cooling = null } = this.#state[instance] ?? {};
    this.#state[instance] = { ...state, told, cooling };
  }

  /** When somebody would speak though nothing changes: a flush, a wait or a cool-down that ends. */
  nextAt(after: number): number {
    // Before the first news there is none.
    if (!Number.isFinite(after)) return Number.POSITIVE_INFINITY;
    const { everyTick = false } = this.#input;
    const { everyMs, groupWaitMs, cooldownMs } = this.#input.rule;
    // Who was told is known to the instances from the next tick on, and may be news to another receiver.
    if (everyTick || this.said.at(-1)?.at === after) return after + everyMs;
    const flushes = this.#groups.map(({ state }) => state.nextFlushAt);
    const waits = Object.values(this.#state).flatMap(({ level, begun, cooling }) => {
      if (level === null) return [];
      return [begun ? begun.at + groupWaitMs : after, cooling ? cooling.at + cooldownMs : after];
    });
    const next = Math.min(...waits.filter((at) => at > after), ...flushes);
    return Math.max(next, after + everyMs);
  }

  step(now: number): void {
    const { rule, policy } = this.#input;
    const planned = planGroups({
      ...{ rule, now, groups: this.#groups, routes: policy.routes },
      state: this.#state,
      mute: this.#muteAt(now),
    });
    for (const group of planned) this.#note(group, now);
    this.#groups = planned.flatMap(({ receiver, groupKey, step }) =>
      step.state ? [{ receiver, groupKey, state: step.state }] : [],
    );
    const spoken = planned.map(({ receiver, step }) => ({
      ...{ receiver, state: step.state, said: step.say },
    }));
    const after: RuleState = writeTold(rule, this.#state, spoken, now);
    this.#state = { ...after };
  }

  #note({ receiver, groupKey, step: { say } }: PlannedGroup, at: number): void {
    if (!say) return;
    const worst = say.firing.map(({ severity }) => SEVERITIES.indexOf(severity ?? "sev4"));
    const severity = worst.length > 0 ? SEVERITIES[Math.min(...worst)]! : null;
    this.said.push({ at, receiver, groupKey, action: say.action, severity });
  }

  #muteAt(now: number): Mute {
    const { policy } = this.#input;
    const active = this.#silences.filter((one) => +one.startsAt <= now && now < +one.endsAt);
    const firing = this.#parents.flatMap(({ rule, sweep }) =>
      sweep.at(now).map(({ labels }) => ({ rule, labels })),
    );
    if (active.length === 0 && firing.length === 0) return () => null;
    return (rule, _instance, { labels, level: id }) => {
      const level = rule.levels[levelIndex(rule, id)]!;
      const all = alertLabels(policy.system, rule, level, labels);
      if (findSilence(active, all, level.severity)) return "silence";
      const inhibitor = findInhibitor({ rule: rule.name, labels }, firing, policy.alerts);
      return inhibitor === null ? null : "inhibition";
    };
  }
}

function toSilence(one: PolicySet["silences"][number]): Silence {
  const { name, matchers, starts, ends, owner, reason, silencesPages } = one;
  return {
    ...{ id: name, source: "git", name, matchers, createdBy: owner, comment: reason },
    ...{ silencesPages, startsAt: new Date(starts), endsAt: new Date(ends) },
    updatedAt: new Date(starts),
  };
}
