/** An explanation as the API shows it. */
import type { ExplainInput, Explanation, LevelStory, ReceiverStory } from "../alert/explain.js";
import type { SampleFacts } from "../alert/sample-facts.js";
import type { StoredTransition } from "../store/alert-facts.js";

export function toExplainDocument(
  input: ExplainInput,
  story: Explanation,
  transitions: readonly StoredTransition[],
) {
  const { rule, instance, labels, state, value, unit, muting } = input;
  const isPending = story.levels.some(({ phase }) => phase === "pending");
  const level = state?.level ?? null;
  return {
    id: idOf(rule, level, instance),
    ...{ instance, labels, level, value, unit },
    phase: level !== null ? "firing" : isPending ? "pending" : "quiet",
    since: state?.since ? new Date(state.since).toISOString() : null,
    told_at: state?.told ? new Date(state.told.at).toISOString() : null,
    judged_value: state?.value ?? null,
    series: input.series.map(toSeries),
    levels: story.levels.map(toLevel),
    receivers: story.receivers.map(toReceiver),
    silenced_by: story.silencedBy.map(({ id, createdBy, comment, endsAt }) => ({
      ...{ id, owner: createdBy, reason: comment, until: endsAt.toISOString() },
    })),
    inhibited_by: muting.inhibitedBy,
    transitions: transitions.map(({ at, ...rest }) => ({ ...rest, at: at.toISOString() })),
    text: story.text,
  };
}

/** By the level that fires, or by the first one of its rule. */
export function idOf(
  { name, levels }: { readonly name: string; readonly levels: readonly { readonly id: string }[] },
  level: string | null,
  instance: string,
): string {
  return `${level ?? levels[0]?.id ?? name}~${instance}`;
}

function toSeries({ metric, labels, count, firstAt, lastAt, last, widestGapMs }: SampleFacts) {
  return {
    ...{ metric, labels, samples: count, last, widest_gap_ms: widestGapMs },
    first_at: firstAt?.toISOString() ?? null,
    last_at: lastAt?.toISOString() ?? null,
  };
}

function toLevel({ level, fires, recovers, phase, since, firesAt, recoveringSince }: LevelStory) {
  const { id, name, severity } = level;
  return {
    ...{ id, name, severity, fires, recovers, phase },
    since: since?.toISOString() ?? null,
    fires_at: firesAt?.toISOString() ?? null,
    recovering_since: recoveringSince?.toISOString() ?? null,
  };
}

function toReceiver({ receiver, group, isTold, sentence, lanes }: ReceiverStory) {
  const last = group?.state.last;
  return {
    ...{ receiver, told: isTold, group: group?.groupKey ?? null, sentence },
    reason: last?.reason ?? null,
    decided_at: last ? new Date(last.at).toISOString() : null,
    next_at: group?.nextAt?.toISOString() ?? null,
    lanes: lanes.map(({ lane, tokens, perMinuteMax, stormSince, waiting }) => ({
      ...{ lane, tokens: Math.floor(tokens), per_minute_max: perMinuteMax, waiting },
      storm_since: stormSince?.toISOString() ?? null,
    })),
  };
}
