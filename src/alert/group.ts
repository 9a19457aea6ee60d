/**
 * When a receiver hears of a group of alerts: Alertmanager's dispatcher and its dedup, as one pure step
 * (dispatch/dispatch.go and notify/notify.go of 0.25). Four things differ, on purpose:
 * - a resolve is told to everyone who was told, silenced or not: a page that nobody closes is worse than a line too much;
 * - what is worse than anything told does not wait for the interval;
 * - a silence that ends over a firing alert makes it speak again, also inside `repeat`;
 * - what fired and ended between two messages is in neither: nobody was told that it began.
 * Times are milliseconds since the epoch.
 */
import type { Severity } from "../policy/policy.js";
import type { Labels } from "./instance.js";
import type { SayReason, SpokenReason } from "./notice.js";

/** An instance as this receiver is concerned by it. */
export interface Member {
  readonly instance: string;
  readonly labels: Labels;
  /** Null: it does not fire, or no longer for this receiver. */
  readonly level: string | null;
  readonly severity: Severity | null;
  /** When it began to fire. */
  readonly startsAt: number;
  /** `level`: it got worse and others are told of that, so nothing is over here. */
  readonly mutedBy: "silence" | "inhibition" | "level" | null;
  /** It did not recover: its rule was edited. */
  readonly endedByEdit: boolean;
  /** Recently told over, for this level or a stricter one; null: not. */
  readonly coolingUntil: number | null;
  /** It fires on at a level that does not concern this receiver. */
  readonly isDowngraded?: boolean;
  /** Level last told to anybody. */
  readonly toldElsewhere?: string | null;
}

/** What a receiver was told of a group, and when it may hear of it again. Plain JSON, stored as it is. */
export interface GroupState {
  readonly createdAt: number;
  /** Creation + wait, then an interval later each time, whether or not anything was said. */
  readonly nextFlushAt: number;
  readonly lastSaidAt: number | null;
  /** Instance → level last told. */
  readonly told: Readonly<Record<string, string>>;
  /** The strictest level told since the group began. */
  readonly peak: string | null;
  /** Instances that a silence held back since they were last told. */
  readonly silenced: readonly string[];
  /** The last decision, and since when it has been this one. */
  readonly last: { readonly reason: SayReason; readonly at: number };
  /** Something about it went out in a message of its own: abroad an incident may stand open under its key. */
  readonly hasOwnNotice?: boolean;
}

export interface GroupTimers {
  readonly waitMs: number;
  readonly intervalMs: number;
  readonly repeatMs: number;
  readonly sendResolved: boolean;
}

export interface GroupSaying {
  readonly action: "trigger" | "resolve";
  readonly reason: SpokenReason;
  readonly firing: readonly Member[];
  /** Keys of instances that were told and are over. */
  readonly resolved: readonly string[];
}

export interface GroupStep {
  /** Null: nothing is left to remember. The same object as before: nothing has changed. */
  readonly state: GroupState | null;
  readonly reason: SayReason;
  readonly say: GroupSaying | null;
}

/** @param levels Ids of the rule's levels, strictest last. */
export function stepGroup(
  before: GroupState | null,
  members: readonly Member[],
  timers: GroupTimers,
  levels: readonly string[],
  now: number,
): GroupStep {
  const view = look(before, members, levels, now);
  if (view.standing.length === 0 && Object.keys(view.told).length === 0) return gone(before, view);
  const group = before ?? begin(timers, now);
  const silenced = silencedOf(group, view);
  const isDue = isFlushDue(group, view, timers, levels, now);
  const news = isDue ? newsOf(group, { ...view, silenced }, timers, levels, now) : null;
  if (!news) return keepQuiet(before, group, { view, silenced, isDue }, timers, now);
  return speak(group, { view, silenced }, news, timers, levels, now);
}

interface View {
  /** Firing, and not withheld by the cool-down. */
  readonly standing: readonly Member[];
  /** Of those, what may be heard. */
  readonly audible: readonly Member[];
  readonly cooling: readonly Member[];
  readonly told: Readonly<Record<string, string>>;
  /** Told, and over. */
  readonly over: readonly Member[];
}

function look(
  before: GroupState | null,
  members: readonly Member[],
  levels: readonly string[],
  now: number,
): View {
  const told = { ...before?.told };
  for (const { mutedBy, instance, level } of members) {
    const known = told[instance];
    // Others heard that it got worse; when it is better again, that is news here, too.
    if (mutedBy === "level" && known && place(levels, level) > place(levels, known))
      told[instance] = level!;
  }
  const firing = members.filter(({ level }) => level !== null);
  const isCooling = ({ instance, coolingUntil }: Member) =>
    coolingUntil !== null && now < coolingUntil && told[instance] === undefined;
  const standing = firing.filter((member) => !isCooling(member));
  return {
    standing,
    audible: standing.filter(({ mutedBy }) => mutedBy === null),
    cooling: firing.filter(isCooling),
    told,
    over: members.filter(({ instance, level }) => level === null && told[instance] !== undefined),
  };
}

function gone(before: GroupState | null, { cooling }: View): GroupStep {
  const reason: SayReason =
    cooling.length > 0 ? "cooldown" : before ? "resolved-in-wait" : "nothing-changed";
  return { state: null, reason, say: null };
}

function begin({ waitMs }: GroupTimers, now: number): GroupState {
  return {
    createdAt: now,
    nextFlushAt: now + waitMs,
    lastSaidAt: null,
    told: {},
    peak: null,
    silenced: [],
    last: { reason: "group-wait", at: now },
  };
}

function silencedOf(group: GroupState, { standing }: View): readonly string[] {
  const known = new Set(group.silenced);
  const now = standing
    .filter(({ instance, mutedBy }) => mutedBy === "silence" || known.has(instance))
    .map(({ instance }) => instance);
  return now.length === known.size && now.every((one) => known.has(one)) ? group.silenced : now;
}

function isFlushDue(
  group: GroupState,
  view: View,
  { waitMs }: GroupTimers,
  levels: readonly string[],
  now: number,
): boolean {
  if (now >= group.nextFlushAt) return true;
  const isFirst = group.nextFlushAt === group.createdAt + waitMs;
  // What has burnt for longer than the wait has waited enough.
  const hasWaited = isFirst && view.audible.some(({ startsAt }) => startsAt + waitMs <= now);
  return hasWaited || isWorse(view, levels);
}

/** Bad news waits for nothing: an alert that is worse than whatever is told and still stands. */
function isWorse({ audible, told }: View, levels: readonly string[]): boolean {
  const elsewhere = audible.map(({ toldElsewhere }) => place(levels, toldElsewhere ?? null));
  const known = Object.values(told).map((level) => place(levels, level));
  if (known.length === 0 && audible.every(({ toldElsewhere }) => !toldElsewhere)) return false;
  const worst = Math.max(-1, ...elsewhere, ...known);
  return audible.some(({ level }) => place(levels, level) > worst);
}

type Flush = View & { readonly silenced: readonly string[] };

/** What there is to say at a flush; null: nothing. */
function newsOf(
  group: GroupState,
  view: Flush,
  timers: GroupTimers,
  levels: readonly string[],
  now: number,
): GroupSaying | null {
  const { audible, over } = view;
  const resolved = timers.sendResolved ? over.map(({ instance }) => instance) : [];
  const trigger = triggerReason(group, view, timers, levels, now);
  if (trigger) return { action: "trigger", reason: trigger, firing: audible, resolved };
  if (over.length === 0 || !timers.sendResolved) return null;
  const isAll = view.standing.every(({ instance }) => view.told[instance] === undefined);
  return isAll
    ? { action: "resolve", reason: endReason(over), firing: [], resolved }
    : { action: "trigger", reason: "some-resolved", firing: audible, resolved };
}

function triggerReason(
  group: GroupState,
  view: Flush,
  { repeatMs }: GroupTimers,
  levels: readonly string[],
  now: number,
): SpokenReason | null {
  const { audible, told, silenced } = view;
  const steps = audible.map(({ instance, level, toldElsewhere = null }) => {
    const known = told[instance] ?? toldElsewhere;
    return known === null ? null : place(levels, level) - place(levels, known);
  });
  if (isWorse(view, levels) || steps.some((step) => step !== null && step > 0)) return "upgraded";
  const held = audible.filter(({ instance }) => silenced.includes(instance));
  const isFresh = ({ instance }: Member, at: number) =>
    told[instance] === undefined && !silenced.includes(instance) && (steps[at] ?? 0) === 0;
  if (audible.some(isFresh))
    return Object.keys(told).length === 0 ? "first-notification" : "new-alert";
  if (held.length > 0) return "silence-ended";
  if (steps.some((step) => step !== null && step < 0)) return "downgraded";
  const isRepeatDue = group.lastSaidAt !== null && now >= group.lastSaidAt + repeatMs;
  return audible.length > 0 && isRepeatDue ? "repeat-interval-elapsed" : null;
}

function endReason(over: readonly Member[]): SpokenReason {
  if (over.some(({ endedByEdit }) => endedByEdit)) return "rule-edited";
  return over.every(({ isDowngraded }) => isDowngraded) ? "downgraded" : "resolved";
}

interface Seen {
  readonly view: View;
  readonly silenced: readonly string[];
}

function speak(
  group: GroupState,
  { view, silenced }: Seen,
  say: GroupSaying,
  timers: GroupTimers,
  levels: readonly string[],
  now: number,
): GroupStep {
  const heard = new Set(say.firing.map(({ instance }) => instance));
  const over = new Set(view.over.map(({ instance }) => instance));
  const told = Object.fromEntries([
    ...Object.entries(view.told).filter(([instance]) => !over.has(instance)),
    ...say.firing.map(({ instance, level }) => [instance, level!] as const),
  ]);
  const peak = [group.peak, ...say.firing.map(({ level }) => level)]
    .filter((level) => level !== null)
    .reduce<string | null>((a, b) => (place(levels, b) > place(levels, a) ? b : (a ?? b)), null);
  const isOver = Object.keys(told).length === 0 && view.standing.length === 0;
  const state: GroupState = {
    ...group,
    nextFlushAt: nextFlush(group, timers, now),
    lastSaidAt: now,
    told,
    peak,
    silenced: silenced.filter((instance) => !heard.has(instance)),
    last: { reason: say.reason, at: now },
  };
  return { state: isOver ? null : state, reason: say.reason, say };
}

function keepQuiet(
  before: GroupState | null,
  group: GroupState,
  { view, silenced, isDue }: Seen & { readonly isDue: boolean },
  timers: GroupTimers,
  now: number,
): GroupStep {
  // Whoever wants to hear of no end is told of none, and it is forgotten all the same.
  const forgets = !timers.sendResolved && view.over.length > 0 && isDue;
  const over = new Set(forgets ? view.over.map(({ instance }) => instance) : []);
  const left = Object.entries(view.told).filter(([instance]) => !over.has(instance));
  const told = sameTold(group.told, left);
  const reason = forgets ? "resolved" : quietReason(group, view, timers, isDue);
  if (left.length === 0 && view.standing.length === 0) return { state: null, reason, say: null };
  const nextFlushAt = isDue ? nextFlush(group, timers, now) : group.nextFlushAt;
  const last = reason === group.last.reason ? group.last : { reason, at: now };
  const isSame =
    before !== null &&
    told === group.told &&
    silenced === group.silenced &&
    last === group.last &&
    nextFlushAt === group.nextFlushAt;
  const state = isSame ? before : { ...group, told, silenced, last, nextFlushAt };
  return { state, reason, say: null };
}

function sameTold(
  before: GroupState["told"],
  now: readonly (readonly [string, string])[],
): GroupState["told"] {
  const isSame =
    Object.keys(before).length === now.length && now.every(([key, level]) => before[key] === level);
  return isSame ? before : Object.fromEntries(now);
}

function quietReason(
  group: GroupState,
  { standing, audible, over, told }: View,
  { waitMs }: GroupTimers,
  isDue: boolean,
): SayReason {
  const fresh = audible.some(({ instance, level }) => told[instance] !== level);
  if (audible.length === 0 && over.length === 0) {
    const muted = standing.map(({ mutedBy }) => mutedBy);
    if (muted.includes("silence")) return "silenced";
    if (muted.includes("inhibition")) return "inhibited";
  }
  if (isDue) return "nothing-changed";
  if (fresh && group.nextFlushAt === group.createdAt + waitMs && group.lastSaidAt === null)
    return "group-wait";
  return fresh || over.length > 0 ? "group-interval" : "nothing-changed";
}

/** On the grid of its intervals, whatever was missed; after a word out of turn an interval from now. */
function nextFlush({ nextFlushAt }: GroupState, { intervalMs }: GroupTimers, now: number): number {
  if (intervalMs === 0) return nextFlushAt;
  if (now < nextFlushAt) return now + intervalMs;
  return nextFlushAt + (Math.floor((now - nextFlushAt) / intervalMs) + 1) * intervalMs;
}

/** -1 for none, or one that the rule no longer has. */
function place(levels: readonly string[], level: string | null): number {
  return level === null ? -1 : levels.indexOf(level);
}
