/**
 * What people are told of what the rules found: groups of alerts that have something to say become notices of the
 * outbox, or entries of a digest, in the transaction that stores what was found, so that neither is without the
 * other. Called by whoever holds the evaluator's lease: groups and lanes are nobody else's.
 */
import type { GroupState } from "../alert/group.js";
import type { SayReason } from "../alert/notice.js";
import { type KnownGroup, type PlannedGroup, planGroups } from "../alert/plan-groups.js";
import {
  type NoticeHead,
  type NoticeInput,
  type PlannedNotice,
  planNotice,
  wordsOf,
} from "../alert/plan-notices.js";
import { speaksInStorms } from "../alert/receivers.js";
import { endRemovedRule } from "../alert/removed-rule.js";
import type { RuleState } from "../alert/state.js";
import { type SpokenGroup, writeTold } from "../alert/told.js";
import { type AlertRule, type PolicySet, SEVERITIES, type Severity } from "../policy/policy.js";
import {
  forgetGroups,
  forgetGroupsOf,
  readGroups,
  type StoredGroup,
  saveGroups,
} from "../store/alert-groups.js";
import type { Sql } from "../store/database.js";
import type { DigestEntry } from "../store/digests.js";
import { enqueueNotice, isNoticeTold } from "../store/notices.js";
import { ONCE_PER_MS } from "./notify.js";
import { foldDigests } from "./speaking/digests.js";
import type { Found } from "./speaking/found.js";
import { Lanes, laneOf } from "./speaking/lanes.js";
import { type OpenSilencer, openMuting } from "./speaking/muting.js";
import { openSilencer } from "./speaking/silencer.js";

export interface Spoken {
  /** The same states, with the memory of what was told; what has not changed is the same object. */
  readonly states: ReadonlyMap<string, RuleState>;
  /** For the log: what was put into the outbox, digests among it. */
  readonly notices: readonly {
    readonly receiver: string;
    readonly dedupKey: string;
    readonly action: "trigger" | "resolve";
    readonly reason: string;
  }[];
  /** How many alerts went into digests. */
  readonly digested: number;
  /** What was decided about each group, of each receiver. */
  readonly reasons: readonly {
    readonly receiver: string;
    readonly groupKey: string;
    readonly reason: SayReason;
  }[];
}

export type Speak = (tx: Sql, found: Found) => Promise<Spoken>;

/** Something that a receiver hears of for the first time, or as worse than before. */
export interface PageNews {
  readonly system: string;
  readonly rule: string;
  /** `<rule>/<labels>`: with the system before it the key under which it is known abroad. */
  readonly groupKey: string;
  readonly severity: Severity;
  readonly title: string;
  /** When the oldest of its alerts began to fire. */
  readonly startedAt: Date;
  readonly noticeId: number;
}

export interface SpeakDeps {
  /** In the transaction of the notice. */
  readonly onPage?: (tx: Sql, page: PageNews) => Promise<void>;
  /** Default: those of the store. */
  readonly silences?: OpenSilencer;
}

export function createSpeak(deps: SpeakDeps = {}): Speak {
  return async (tx, found) => {
    const lanes = await Lanes.open(tx, found);
    const plans = await planRules(tx, found, deps.silences ?? openSilencer);
    const telling = new Telling(tx, found, lanes, deps);
    for (const notice of await lastWords(tx, found)) await telling.tellEnd(notice);
    for (const wish of wishesOf(plans, found.policy)) await telling.tell(wish);
    const digests = await foldDigests(tx, found, lanes, telling.entries);
    await lanes.save(tx);
    const states = await store(tx, found, plans, telling);
    return {
      states,
      notices: [...telling.notices, ...digests],
      digested: telling.entries.reduce((sum, { alerts }) => sum + alerts, 0),
      reasons: plans.flatMap(({ groups }) => groups.map((group) => telling.reasonOf(group))),
    };
  };
}

interface RulePlan {
  readonly rule: AlertRule;
  readonly state: RuleState;
  readonly groups: readonly PlannedGroup[];
}

async function planRules(tx: Sql, found: Found, open: OpenSilencer): Promise<RulePlan[]> {
  const { policy, states, now } = found;
  const rules = policy.alerts.filter(({ name }) => states.has(name));
  // Nothing fires, nothing was told, nothing has changed: then there is no group, either.
  const isCalm =
    found.transitions.length === 0 && rules.every(({ name }) => isQuiet(states.get(name)!));
  if (isCalm) return [];
  const groups = byRule(
    await readGroups(
      tx,
      rules.map(({ name }) => name),
    ),
  );
  const silencer = await open(tx, found);
  const mute = await openMuting(tx, found, silencer);
  const plans = rules.map((rule): RulePlan => {
    const state = states.get(rule.name)!;
    const tick = Math.floor(now.getTime() / rule.everyMs) * rule.everyMs;
    const known = groups.get(rule.name) ?? [];
    const { routes } = policy;
    return {
      rule,
      state,
      groups: planGroups({ rule, state, groups: known, routes, mute, now: tick }),
    };
  });
  await silencer.close();
  return plans;
}

function isQuiet(state: RuleState): boolean {
  return Object.values(state).every(({ level, told }) => level === null && told === null);
}

function byRule(groups: readonly StoredGroup[]): ReadonlyMap<string, StoredGroup[]> {
  const rules = new Map<string, StoredGroup[]>();
  for (const group of groups) rules.set(group.rule, [...(rules.get(group.rule) ?? []), group]);
  return rules;
}

async function lastWords(tx: Sql, { removed }: Found): Promise<PlannedNotice[]> {
  if (removed.length === 0) return [];
  const names = removed.map(({ name }) => name);
  const groups = byRule(await readGroups(tx, names));
  await forgetGroupsOf(tx, names);
  return removed.flatMap((one) => {
    const known: readonly KnownGroup[] = groups.get(one.name) ?? [];
    return endRemovedRule(one, known).notices;
  });
}

/** A group with something to say. */
interface Wish {
  readonly plan: RulePlan;
  readonly group: PlannedGroup;
  readonly input: NoticeInput;
  readonly notice: NoticeHead;
}

/** The worst first: they take the tokens. */
function wishesOf(plans: readonly RulePlan[], policy: PolicySet): Wish[] {
  const wishes = plans.flatMap((plan) =>
    plan.groups.flatMap((group): Wish[] => {
      const { receiver, groupKey, step } = group;
      if (!step.say) return [];
      const { rule, state } = plan;
      const input = { rule, receiver, groupKey, say: step.say, state, policy };
      return [{ plan, group, input, notice: planNotice(input) }];
    }),
  );
  const rank = ({ notice }: Wish) => SEVERITIES.indexOf(notice.severity);
  return wishes.sort((a, b) => rank(a) - rank(b));
}

const OPENS: readonly string[] = ["first-notification", "new-alert", "upgraded", "silence-ended"];

class Telling {
  readonly entries: DigestEntry[] = [];
  readonly notices: PlannedNotice[] = [];
  readonly #tx: Sql;
  readonly #found: Found;
  readonly #lanes: Lanes;
  readonly #deps: SpeakDeps;
  /** Groups that went out by themselves, and those that must wait for it. */
  readonly #sent = new Set<PlannedGroup>();
  readonly #held = new Set<PlannedGroup>();

  constructor(tx: Sql, found: Found, lanes: Lanes, deps: SpeakDeps) {
    this.#tx = tx;
    this.#found = found;
    this.#lanes = lanes;
    this.#deps = deps;
  }

  async tell(wish: Wish): Promise<void> {
    const { group, notice: head, plan, input } = wish;
    // An incident that we opened under this key is closed by a resolve of its own, or by nobody.
    const closesOwn = head.action === "resolve" && group.before?.hasOwnNotice === true;
    const ignoresStorm = closesOwn || speaksInStorms(plan.rule);
    const verdict = this.#lanes.admit(head.receiver, laneOf(head.severity), ignoresStorm);
    if (verdict === "digest") {
      if (closesOwn) this.#held.add(group);
      else this.#fold(head);
      return;
    }
    this.#sent.add(group);
    const notice = { ...head, ...wordsOf(input) };
    const noticeId = await this.#send(notice);
    if (noticeId === null || notice.action !== "trigger" || !OPENS.includes(notice.reason)) return;
    const { title } = notice.message;
    await this.#deps.onPage?.(this.#tx, { ...pageOf(wish, this.#found.policy), title, noticeId });
  }

  /** Of a rule that is gone: nobody will ask for it again, so it waits for no token. */
  async tellEnd(notice: PlannedNotice): Promise<void> {
    this.#lanes.admit(notice.receiver, laneOf(notice.severity), true);
    await this.#send(notice);
  }

  /** As the group is after what became of its wish. */
  after(group: PlannedGroup): SpokenGroup {
    const { receiver, step, before } = group;
    if (this.#held.has(group)) return { receiver, state: before, said: null };
    const { state, say } = step;
    if (!state || !say || !this.#sent.has(group)) return { receiver, state, said: say };
    const hasOwnNotice = say.action === "trigger";
    return { receiver, state: { ...state, hasOwnNotice }, said: say };
  }

  reasonOf(group: PlannedGroup) {
    const { receiver, groupKey, step } = group;
    const reason: SayReason = this.#held.has(group) ? "no-token" : step.reason;
    return { receiver, groupKey, reason };
  }

  #fold(notice: NoticeHead): void {
    const { receiver, groupKey, level, severity, action, alerts, reason, instances } = notice;
    const what = { receiver, groupKey, level, severity, action, alerts, reason, instances };
    const lane = laneOf(severity);
    this.entries.push({ ...what, lane, rule: ruleOf(notice), at: this.#found.now });
  }

  /** Safe mode and what the watchdog sees are said at once, under the key of their rule: then the rule need not. */
  async #send(notice: PlannedNotice): Promise<number | null> {
    const since = new Date(this.#found.now.getTime() - ONCE_PER_MS);
    const isFirstOrLast = notice.reason === "first-notification" || notice.reason === "resolved";
    if (isFirstOrLast && (await isNoticeTold(this.#tx, notice, since))) return null;
    this.notices.push(notice);
    return enqueueNotice(this.#tx, notice);
  }
}

function ruleOf({ groupKey }: NoticeHead): string {
  return groupKey.slice(0, groupKey.indexOf("/"));
}

function pageOf({ plan, group, notice }: Wish, { system }: PolicySet) {
  const began = group.step.say!.firing.map(({ startsAt }) => startsAt);
  return {
    ...{ system, severity: notice.severity, groupKey: notice.groupKey },
    rule: plan.rule.name,
    startedAt: new Date(Math.min(...began)),
  };
}

/** Groups that changed are written, those with nothing left go, and each instance learns who knows of it. */
async function store(
  tx: Sql,
  found: Found,
  plans: readonly RulePlan[],
  telling: Telling,
): Promise<ReadonlyMap<string, RuleState>> {
  const states = new Map(found.states);
  const changed: StoredGroup[] = [];
  const gone: PlannedGroup[] = [];
  for (const { rule, state, groups } of plans) {
    const after = groups.map((group) => telling.after(group));
    for (const [i, group] of groups.entries()) {
      const next: GroupState | null = after[i]!.state;
      if (next && next !== group.known) changed.push({ ...group, rule: rule.name, state: next });
      if (!next && group.known) gone.push(group);
    }
    const tick = Math.floor(found.now.getTime() / rule.everyMs) * rule.everyMs;
    states.set(rule.name, writeTold(rule, state, after, tick));
  }
  await saveGroups(tx, changed, found.now);
  await forgetGroups(tx, gone);
  return states;
}
