/** Everything that a new policy would do, asked before it does: of the two sets, of the samples, of the rows. */
import { compileRule } from "../alert/compile.js";
import { firingPages } from "../alert/firing-pages.js";
import { type NewlyFiring, shadowEvaluate } from "../alert/shadow.js";
import type { RuleState } from "../alert/state.js";
import type { Held } from "../policy/harm/held.js";
import { findSilenceHarm } from "../policy/harm/silences.js";
import { findHarm, findRowHarm } from "../policy/harm.js";
import type { PolicySet } from "../policy/policy.js";
import { loadAlertStates } from "../store/alerts.js";
import type { Sql } from "../store/database.js";
import { countExpired } from "../store/retention.js";
import { loadRuleBoard } from "./evaluator-board.js";
import { expiriesOf } from "./expiry.js";

export interface Candidate {
  readonly before: PolicySet;
  readonly after: PolicySet;
  /** Rows that the review said would go, by entity. */
  readonly previewed: Readonly<Record<string, number>>;
}

/** Levels that one sentence names. */
const NAMED_MAX = 5;

/** Only reads. The limits are those of the policy in force. */
export async function foreseeHarm(sql: Sql, candidate: Candidate, now: Date): Promise<Held[]> {
  const { before, after, previewed } = candidate;
  const plain = findHarm(before, after);
  const eligible = await countEligible(sql, candidate, now);
  const rows = findRowHarm(eligible, previewed, before.adoption.retentionMargin);
  // What is too heavy to evaluate is not evaluated to find out what it would fire.
  const isHeavy = plain.some(({ reason }) => reason === "evaluation-too-heavy");
  const states = await loadAlertStates(sql, before.alerts);
  const newly = isHeavy ? [] : await foreseeFiring(sql, candidate, states, now);
  return [
    ...plain,
    ...rows,
    ...tooManyOf(newly, before.adoption.newPagesMax),
    ...findSilenceHarm(before, after, firingPages(before, states), now),
  ];
}

/** Only of entities whose rows would go sooner than they do. */
export async function countEligible(
  sql: Sql,
  { before, after }: Pick<Candidate, "before" | "after">,
  now: Date,
) {
  const were = new Map(expiriesOf(before.retention, now));
  const eligible: Record<string, { before: number; after: number }> = {};
  for (const [entity, is] of expiriesOf(after.retention, now)) {
    const was = were.get(entity);
    if (was !== undefined && is <= was) continue;
    eligible[entity] = {
      before: was === undefined ? 0 : await countExpired(sql, entity, was),
      after: await countExpired(sql, entity, is),
    };
  }
  return eligible;
}

async function foreseeFiring(
  sql: Sql,
  { before, after }: Candidate,
  states: ReadonlyMap<string, RuleState>,
  now: Date,
): Promise<NewlyFiring[]> {
  const rules = [before, after].flatMap(({ alerts, metrics }) =>
    alerts.map((rule) => compileRule(rule, metrics)),
  );
  const board = await loadRuleBoard(sql, rules, now);
  return shadowEvaluate({ before, after, states, board, now });
}

function tooManyOf(newly: readonly NewlyFiring[], most: number): Held[] {
  if (newly.length <= most) return [];
  const names = newly.slice(0, NAMED_MAX).map(({ level, rule }) => `${level} ${rule}`);
  const paging = newly.filter(({ pages }) => pages).length;
  const sentence = `${newly.length} alerts would fire at once that do not now, ${paging} of them page (at most ${most} come into force by themselves): ${names.join(", ")}${newly.length > NAMED_MAX ? ", …" : ""}`;
  return [{ reason: "pages-newly", subject: "alerts", sentence }];
}
