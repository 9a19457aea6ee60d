/** The alerts of a rule, sorted into the groups of each receiver, and what each group's step says of them. */
import type { AlertRule, PolicySet } from "../policy/policy.js";
import type { GroupState, GroupStep, Member } from "./group.js";
import { groupKeyOf } from "./group-key.js";
import { receiversOf } from "./receivers.js";
import { type InstanceState, levelIndex, type RuleState } from "./state.js";
import { stepGroup } from "./step-group.js";

export interface KnownGroup {
  readonly receiver: string;
  readonly groupKey: string;
  readonly state: GroupState;
}

export interface PlannedGroup {
  readonly receiver: string;
  readonly groupKey: string;
  /** As it was stored; null: it was not. */
  readonly known: GroupState | null;
  /** What the step began with. */
  readonly before: GroupState | null;
  readonly step: GroupStep;
}

export type Mute = (rule: AlertRule, instance: string, state: InstanceState) => Member["mutedBy"];

export interface GroupInput {
  readonly rule: AlertRule;
  /** After the rule's step. */
  readonly state: RuleState;
  /** Those of this rule, of all receivers. */
  readonly groups: readonly KnownGroup[];
  readonly routes: PolicySet["routes"];
  /** What silences or inhibits an instance that fires. */
  readonly mute: Mute;
  /** The rule's tick, milliseconds. */
  readonly now: number;
}

/** Every group that has somebody to tell, or something to remember. */
export function planGroups(input: GroupInput): PlannedGroup[] {
  const drafts = new Drafts(input);
  for (const [instance, state] of Object.entries(input.state)) drafts.add(instance, state);
  drafts.addMoved();
  const levels = input.rule.levels.map(({ id }) => id);
  return drafts.all().map(({ receiver, groupKey, known, told, members }) => {
    const before = remembered(input, known, told);
    const timers = timersOf(input, receiver);
    const step = stepGroup(before, members, timers, levels, input.now);
    return { receiver, groupKey, known, before, step };
  });
}

interface Draft {
  readonly receiver: string;
  readonly groupKey: string;
  readonly known: GroupState | null;
  readonly members: Member[];
  /** What of it was told, by who was told it: the instances remember that, too, and are believed. */
  readonly told: Record<string, string>;
}

class Drafts {
  readonly #input: GroupInput;
  readonly #drafts = new Map<string, Draft>();
  /** Receiver and instance → keys of the groups that told it. */
  readonly #tellers = new Map<string, string[]>();

  constructor(input: GroupInput) {
    this.#input = input;
    for (const { receiver, groupKey, state } of input.groups) {
      this.#draft(receiver, groupKey, state);
      for (const instance of Object.keys(state.told)) {
        const name = nameOf(receiver, instance);
        this.#tellers.set(name, [...(this.#tellers.get(name) ?? []), groupKey]);
      }
    }
  }

  all(): Draft[] {
    return [...this.#drafts.values()];
  }

  add(instance: string, state: InstanceState): void {
    const { rule, routes } = this.#input;
    const level = rule.levels[levelIndex(rule, state.level)];
    const concerned = level ? receiversOf(rule, level, state.labels, routes) : [];
    const knowing = state.told?.receivers ?? [];
    if (concerned.length === 0 && knowing.length === 0) return;
    const groupKey = groupKeyOf(rule, instance, state.labels);
    const mutedBy = level ? this.#input.mute(rule, instance, state) : null;
    for (const receiver of new Set([...concerned, ...knowing])) {
      const draft = this.#draft(receiver, groupKey, null);
      const told = this.#toldLevel(draft, instance, state);
      if (told !== null) draft.told[instance] = told;
      const isConcerned = concerned.includes(receiver);
      if (!isConcerned && told === null) continue;
      draft.members.push({
        ...memberOf(rule, instance, state),
        ...(isConcerned ? { mutedBy } : this.#elsewhere(state, told!)),
      });
    }
  }

  /** A rule whose `group` was edited has left some groups: what was told under their keys is ended under them. */
  addMoved(): void {
    const { rule, state, groups } = this.#input;
    for (const { receiver, groupKey, state: known } of groups) {
      const draft = this.#draft(receiver, groupKey, known);
      for (const [instance, level] of Object.entries(known.told)) {
        const now = state[instance];
        if (!now?.told?.receivers.includes(receiver)) continue;
        if (groupKeyOf(rule, instance, now.labels) === groupKey) continue;
        draft.told[instance] = level;
        const over = { level: null, severity: null, mutedBy: null, endedByEdit: true };
        draft.members.push({ ...memberOf(rule, instance, now), ...over });
      }
    }
  }

  #draft(receiver: string, groupKey: string, known: GroupState | null): Draft {
    const name = nameOf(receiver, groupKey);
    const draft = this.#drafts.get(name) ?? { receiver, groupKey, known, members: [], told: {} };
    this.#drafts.set(name, draft);
    return draft;
  }

  /** The group's own memory; that of the instance where another version told it, which knows no groups. */
  #toldLevel({ receiver, groupKey, known }: Draft, instance: string, state: InstanceState) {
    if (!state.told?.receivers.includes(receiver)) return null;
    const tellers = this.#tellers.get(nameOf(receiver, instance)) ?? [];
    if (tellers.length > 0 && !tellers.includes(groupKey)) return null;
    return known?.told[instance] ?? state.told.level;
  }

  /** It fires, and not for this receiver: worse is told to others, milder is the end here. */
  #elsewhere({ level }: InstanceState, told: string) {
    if (level === null) return { mutedBy: null };
    const { rule } = this.#input;
    const isMilder = levelIndex(rule, level) < levelIndex(rule, told);
    return isMilder
      ? { level: null, severity: null, mutedBy: null, isDowngraded: true }
      : { mutedBy: "level" as const };
  }
}

function nameOf(receiver: string, rest: string): string {
  return `${receiver}\n${rest}`;
}

function memberOf(rule: AlertRule, instance: string, state: InstanceState): Member {
  const { level, severity, labels, begun, since, endedByEdit, told, tickAt } = state;
  return {
    ...{ instance, labels, level, severity, endedByEdit },
    startsAt: begun?.at ?? since ?? tickAt,
    mutedBy: null,
    coolingUntil: coolingUntil(rule, state),
    toldElsewhere: told?.level ?? null,
  };
}

/** Recently told over, for this level or a stricter one. Getting worse than that is always news. */
function coolingUntil(rule: AlertRule, state: InstanceState): number | null {
  const { cooling, begun, told } = state;
  if (!cooling || told) return null;
  const index = levelIndex(rule, state.level);
  const hasRisen = begun !== null && index > levelIndex(rule, begun.level);
  const isCovered = index <= levelIndex(rule, cooling.level);
  return !hasRisen && isCovered ? cooling.at + rule.cooldownMs : null;
}

function timersOf({ rule, routes }: GroupInput, receiver: string) {
  return {
    waitMs: rule.groupWaitMs,
    intervalMs: rule.groupIntervalMs,
    repeatMs: rule.repeatMs,
    sendResolved: routes.receivers[receiver]?.sendResolved ?? true,
  };
}

/** The group as it is believed to be: its own memory, less and more what the instances say of who was told. */
function remembered(
  { rule, state }: GroupInput,
  known: GroupState | null,
  told: Readonly<Record<string, string>>,
): GroupState | null {
  const names = Object.keys(told);
  if (known) {
    const isSame =
      names.length === Object.keys(known.told).length &&
      names.every((name) => known.told[name] === told[name]);
    return isSame ? known : { ...known, told };
  }
  const memories = names.flatMap((name) => state[name]?.told ?? []);
  if (memories.length === 0) return null;
  // Told by the version before, or by a process that knew no groups.
  const at = Math.max(...memories.map((one) => one.at));
  const places = memories.map(({ peak }) => levelIndex(rule, peak));
  return {
    createdAt: at - rule.groupWaitMs,
    nextFlushAt: at + rule.groupIntervalMs,
    lastSaidAt: at,
    told,
    peak: memories[places.indexOf(Math.max(...places))]?.peak ?? null,
    silenced: [],
    last: { reason: "nothing-changed", at },
    hasOwnNotice: true,
  };
}
