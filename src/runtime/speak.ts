/**
 * What people are told of what the rules found: groups of alerts that have something to say become notices of the
 * outbox, or entries of a digest, in the transaction that stores what was found, so that neither is without the
 * other. Called by whoever holds the evaluator's lease: groups and lanes are nobody else's.
 */
import type { GroupState } from "../alert/group.js";
import type { SayReason } from "../alert/notice.js";
import type { PlannedGroup } from "../alert/plan-groups.js";
import type { RuleState } from "../alert/state.js";
import { writeTold } from "../alert/told.js";
import { forgetGroups, type StoredGroup, saveGroups } from "../store/alert-groups.js";
import type { Sql } from "../store/database.js";
import { foldDigests } from "./speaking/digests.js";
import type { Found } from "./speaking/found.js";
import { Lanes } from "./speaking/lanes.js";
import type { OpenSilencer } from "./speaking/muting.js";
import { planEnds, planRules, type RulePlan } from "./speaking/plan.js";
import { openSilencer } from "./speaking/silencer.js";
import { type OnPage, Telling, wishesOf } from "./speaking/telling.js";

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

export interface SpeakDeps {
  /** In the transaction of the notice. */
  readonly onPage?: OnPage;
  /** Default: those of the store. */
  readonly silences?: OpenSilencer;
}

export function createSpeak(deps: SpeakDeps = {}): Speak {
  return async (tx, found) => {
    const plans = await planRules(tx, found, deps.silences ?? openSilencer);
    const [ends, wishes] = [await planEnds(tx, found), wishesOf(plans, found.policy)];
    const lanes = await Lanes.open(tx, found, ends.length + wishes.length > 0);
    const telling = new Telling(tx, found, lanes, deps.onPage);
    for (const notice of ends) await telling.tellEnd(notice);
    for (const wish of wishes) await telling.tell(wish);
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
