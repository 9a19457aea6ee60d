/** What there is to say of a group when its time has come, and under which name. */
import type { GroupSaying, GroupState, GroupTimers, Member } from "./group.js";
import type { SpokenReason } from "./notice.js";

/** Who of a group burns, who may be heard, and who was told. */
export interface GroupView {
  /** Firing, and not withheld by the cool-down. */
  readonly standing: readonly Member[];
  /** Of those, what may be heard. */
  readonly audible: readonly Member[];
  readonly cooling: readonly Member[];
  readonly told: Readonly<Record<string, string>>;
  /** Told, and over. */
  readonly over: readonly Member[];
}

/** Bad news waits for nothing: an alert that is worse than whatever is told and still stands. */
export function isWorse({ audible, told }: GroupView, levels: readonly string[]): boolean {
  const elsewhere = audible.map(({ toldElsewhere }) => place(levels, toldElsewhere ?? null));
  const known = Object.values(told).map((level) => place(levels, level));
  if (known.length === 0 && audible.every(({ toldElsewhere }) => !toldElsewhere)) return false;
  const worst = Math.max(-1, ...elsewhere, ...known);
  return audible.some(({ level }) => place(levels, level) > worst);
}

type Flush = GroupView & { readonly silenced: readonly string[] };

/** What there is to say at a flush; null: nothing. */
export function newsOf(
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

/** -1 for none, or one that the rule no longer has. */
export function place(levels: readonly string[], level: string | null): number {
  return level === null ? -1 : levels.indexOf(level);
}
