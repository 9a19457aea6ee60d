/**
 * When a receiver hears of a group of alerts: Alertmanager's dispatcher and its dedup, as one pure step
 * (dispatch/dispatch.go and notify/notify.go of 0.25). Four things differ, on purpose:
 * - a resolve is told to everyone who was told, silenced or not: a page that nobody closes is worse than a line too much;
 * - what is worse than anything told does not wait for the interval;
 * - a silence that ends over a firing alert makes it speak again, also inside `repeat`;
 * - what fired and ended between two messages is in neither: nobody was told that it began.
 * Times are milliseconds since the epoch.
 */
import type { GroupSaying, GroupState, GroupStep, GroupTimers, Member } from "./group.js";
import { type GroupView, isWorse, newsOf, place } from "./group-news.js";
import type { SayReason } from "./notice.js";

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

function look(
  before: GroupState | null,
  members: readonly Member[],
  levels: readonly string[],
  now: number,
): GroupView {
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

function gone(before: GroupState | null, { cooling }: GroupView): GroupStep {
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

function silencedOf(group: GroupState, { standing }: GroupView): readonly string[] {
  const known = new Set(group.silenced);
  const now = standing
    .filter(({ instance, mutedBy }) => mutedBy === "silence" || known.has(instance))
    .map(({ instance }) => instance);
  return now.length === known.size && now.every((one) => known.has(one)) ? group.silenced : now;
}

function isFlushDue(
  group: GroupState,
  view: GroupView,
  { waitMs }: GroupTimers,
  levels: readonly string[],
  now: number,
): boolean {
  if (now >= group.nextFlushAt) return true;
  const isFirst = group.lastSaidAt === null && group.nextFlushAt === group.createdAt + waitMs;
  // What has burnt for longer than the wait has waited enough.
  const hasWaited = isFirst && view.audible.some(({ startsAt }) => startsAt + waitMs <= now);
  return hasWaited || isWorse(view, levels);
}

interface Seen {
  readonly view: GroupView;
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
  { standing, audible, over, told }: GroupView,
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
