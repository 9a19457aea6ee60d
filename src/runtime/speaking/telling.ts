/** What becomes of what groups have to say: a notice of its own, an entry of a digest, or patience. */
import type { SayReason } from "../../alert/notice.js";
import type { PlannedGroup } from "../../alert/plan-groups.js";
import {
  type NoticeHead,
  type NoticeInput,
  type PlannedNotice,
  planNotice,
  wordsOf,
} from "../../alert/plan-notices.js";
import { speaksInStorms } from "../../alert/receivers.js";
import type { SpokenGroup } from "../../alert/told.js";
import { type PolicySet, SEVERITIES } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import type { DigestEntry } from "../../store/digests.js";
import { enqueueNotice, isNoticeTold } from "../../store/notices.js";
import { ONCE_PER_MS } from "../notify.js";
import type { Found } from "./found.js";
import { type Lanes, laneOf } from "./lanes.js";
import type { PageNews } from "./page-news.js";
import type { RulePlan } from "./plan.js";

export type OnPage = (tx: Sql, page: PageNews) => Promise<void>;

/** A group with something to say. */
export interface Wish {
  readonly plan: RulePlan;
  readonly group: PlannedGroup;
  readonly input: NoticeInput;
  readonly notice: NoticeHead;
}

/** The worst first: they take the tokens. */
export function wishesOf(plans: readonly RulePlan[], policy: PolicySet): Wish[] {
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

/** Takes tokens, writes notices and gathers the entries of digests, of one tick. */
export class Telling {
  readonly entries: DigestEntry[] = [];
  readonly notices: PlannedNotice[] = [];
  readonly #tx: Sql;
  readonly #found: Found;
  readonly #lanes: Lanes;
  readonly #onPage: OnPage | undefined;
  /** Groups that went out by themselves, and those that must wait for it. */
  readonly #sent = new Set<PlannedGroup>();
  readonly #held = new Set<PlannedGroup>();

  constructor(tx: Sql, found: Found, lanes: Lanes, onPage: OnPage | undefined) {
    this.#tx = tx;
    this.#found = found;
    this.#lanes = lanes;
    this.#onPage = onPage;
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
    await this.#onPage?.(this.#tx, { ...pageOf(wish, this.#found.policy), title, noticeId });
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
