/**
 * What was measured, since when, and why it was told or not: one alert as a document, and as a few lines that a
 * person reads in chat. Everything comes as an argument.
 */
import { formatAge, MINUTE_MS } from "../base/duration.js";
import type { AlertLevel, AlertRule, Receiver, Unit } from "../policy/policy.js";
import { formatValue } from "./alert-message.js";
import type { GroupState } from "./group.js";
import { groupKeyOf } from "./group-key.js";
import type { Labels } from "./instance.js";
import type { Muting } from "./muting.js";
import { isSpoken } from "./notice.js";
import { REASON_TEXT } from "./reason-text.js";
import type { SampleFacts } from "./sample-facts.js";
import { firesText, noDataText, recoversText, signalText } from "./signal-text.js";
import type { Silence } from "./silence.js";
import type { InstanceState } from "./state.js";

export interface ExplainInput {
  readonly rule: AlertRule;
  readonly unit: Unit;
  readonly instance: string;
  readonly labels: Labels;
  /** Null: its tick has never seen it. */
  readonly state: InstanceState | null;
  /** The tick that is explained. */
  readonly at: Date;
  readonly now: Date;
  /** Computed anew from the samples; null: no data. */
  readonly value: number | null;
  readonly series: readonly SampleFacts[];
  readonly muting: Muting;
  readonly silences: readonly Silence[];
  /** Of the rule, all receivers'. */
  readonly groups: readonly KnownGroup[];
  readonly lanes: readonly KnownLane[];
  readonly receivers: Readonly<Record<string, Pick<Receiver, "perMinuteMax">>>;
}

export interface KnownGroup {
  readonly receiver: string;
  readonly groupKey: string;
  readonly state: GroupState;
  readonly nextAt: Date | null;
}

export interface KnownLane {
  readonly receiver: string;
  readonly lane: "normal" | "critical";
  /** As they were at `refilledAt`; they come back with time (storm.ts). */
  readonly tokens: number;
  readonly refilledAt: Date;
  readonly stormSince: Date | null;
  readonly waiting: number;
}

export interface LevelStory {
  readonly level: AlertLevel;
  readonly fires: string;
  readonly recovers: string | null;
  readonly phase: "quiet" | "pending" | "firing";
  /** When its condition began. */
  readonly since: Date | null;
  /** While pending, and `for` is what it waits for: when it fires if nothing changes. */
  readonly firesAt: Date | null;
  readonly recoveringSince: Date | null;
}

export interface ReceiverStory {
  readonly receiver: string;
  /** Null: it was never told anything, or it is over. */
  readonly group: KnownGroup | null;
  readonly isTold: boolean;
  readonly sentence: string;
  readonly lanes: readonly (KnownLane & { readonly perMinuteMax: number | null })[];
}

export interface Explanation {
  readonly levels: readonly LevelStory[];
  readonly receivers: readonly ReceiverStory[];
  readonly silencedBy: readonly Silence[];
  readonly text: string;
}

export function explain(input: ExplainInput): Explanation {
  const { rule, unit, muting, silences } = input;
  const levels = rule.levels.map((level) => levelStory(level, unit, input.state));
  const receivers = receiverStories(input);
  const silencedBy = silences.filter(({ id }) => muting.silencedBy.includes(id));
  const story = { levels, receivers, silencedBy };
  return { ...story, text: textOf(input, story) };
}

function levelStory(level: AlertLevel, unit: Unit, state: InstanceState | null): LevelStory {
  const known = state?.levels[level.id];
  const isWaiting = known?.phase === "pending" && level.mOf === null;
  return {
    level,
    fires: firesText(level, unit),
    recovers: recoversText(level, unit),
    phase: known?.phase ?? "quiet",
    since: momentOf(known?.activeAt),
    firesAt: isWaiting ? momentOf(known.activeAt + level.forMs) : null,
    recoveringSince: momentOf(known?.recoveringSince),
  };
}

function momentOf(ms: number | null | undefined): Date | null {
  return ms === null || ms === undefined ? null : new Date(ms);
}

/** Those whom a level names, and those who still know of it. */
function receiverStories(input: ExplainInput): ReceiverStory[] {
  const { rule, instance, labels, groups, lanes, receivers, now } = input;
  const key = groupKeyOf(rule, instance, labels);
  const own = groups.filter(({ groupKey, state }) => groupKey === key || instance in state.told);
  const named = rule.levels.flatMap(({ notify }) => notify);
  return [...new Set([...named, ...own.map(({ receiver }) => receiver)])].map((receiver) => {
    const group = own.find((one) => one.receiver === receiver) ?? null;
    const isTold = group?.state.told[instance] !== undefined;
    const perMinuteMax = receivers[receiver]?.perMinuteMax ?? null;
    return {
      ...{ receiver, group, isTold },
      sentence: group ? REASON_TEXT[group.state.last.reason] : whyNothing(input, receiver),
      lanes: lanes
        .filter((lane) => lane.receiver === receiver)
        .map((lane) => ({ ...lane, perMinuteMax, tokens: tokensNow(lane, perMinuteMax, now) })),
    };
  });
}

/** Null as most: the receiver left the policy. */
function tokensNow(lane: KnownLane, perMinuteMax: number | null, now: Date): number {
  const most = perMinuteMax ?? lane.tokens;
  const passedMs = Math.max(0, now.getTime() - lane.refilledAt.getTime());
  return Math.min(most, lane.tokens + (passedMs * most) / MINUTE_MS);
}

/** There is no group: nothing was said, and nothing is to be. */
function whyNothing({ rule, state }: ExplainInput, receiver: string): string {
  if (!state || state.level === null) return "Nothing fires, so there is nothing to tell.";
  const level = rule.levels.find(({ id }) => id === state.level);
  return level?.notify.includes(receiver)
    ? "It is about to be judged for this receiver."
    : `${state.level} does not name this receiver.`;
}

type Story = Omit<Explanation, "text">;

function textOf(input: ExplainInput, story: Story): string {
  const { rule, instance, unit, value, at, state, muting } = input;
  const measured = value === null ? "no data" : formatValue(value, unit);
  return [
    `${rule.name}/${instance}: ${rule.summary}`,
    ...(rule.waitsFor?.length ? [`Not judged: it waits for ${rule.waitsFor.join(", ")}.`] : []),
    `Measured at ${at.toISOString()}: ${measured}, which is ${signalText(rule.signal)}.`,
    samplesText(input),
    ...story.levels.map((level) => levelText(level, input)),
    ...(state?.held ? [`No data at the last tick: ${noDataText(rule)}.`] : []),
    ...story.silencedBy.map(
      ({ id, endsAt, createdBy, comment }) =>
        `Silenced by ${id} until ${endsAt.toISOString()}: ${createdBy}, "${comment}".`,
    ),
    ...muting.inhibitedBy.map((name) => `Inhibited: ${name} fires.`),
    ...story.receivers.map(receiverText),
  ].join("\n");
}

function samplesText({ series, at }: ExplainInput): string {
  const seen = series.filter(({ count }) => count > 0);
  if (seen.length === 0) return "No samples: none of its series said anything in the window.";
  const count = seen.reduce((sum, one) => sum + one.count, 0);
  const newest = Math.max(...seen.map(({ lastAt }) => lastAt!.getTime()));
  const widest = Math.max(...seen.map(({ widestGapMs }) => widestGapMs ?? 0));
  return (
    `Samples: ${count} of ${seen.length} series, the newest ${formatAge(at.getTime() - newest)} before it, ` +
    `the widest hole ${formatAge(widest)}.`
  );
}

function levelText(
  { level, fires, recovers, phase, since, firesAt }: LevelStory,
  input: ExplainInput,
) {
  const back = recovers === null ? "" : `, is over ${recovers}`;
  const began = since === null ? "" : ` since ${since.toISOString()}`;
  const ahead =
    firesAt === null
      ? ""
      : `, fires at ${firesAt.toISOString()} if it stays (${input.rule.everyMs / 1_000} s ticks)`;
  return `${level.id} ${level.severity} fires ${fires}${back}: ${phase}${began}${ahead}.`;
}

function receiverText({ receiver, group, sentence, lanes }: ReceiverStory): string {
  if (!group) return `${receiver}: ${sentence}`;
  const { last } = group.state;
  const kind = isSpoken(last.reason) ? "told" : "held";
  const next = group.nextAt === null ? "" : ` Next look ${group.nextAt.toISOString()}.`;
  const waiting = lanes.reduce((sum, lane) => sum + lane.waiting, 0);
  const storm = lanes.some(({ stormSince }) => stormSince !== null) ? " It is in a storm." : "";
  const digest = waiting > 0 ? ` ${waiting} wait for its next digest.` : "";
  const at = new Date(last.at).toISOString();
  return `${receiver}: ${kind} (${last.reason}) at ${at}. ${sentence}${next}${storm}${digest}`;
}
