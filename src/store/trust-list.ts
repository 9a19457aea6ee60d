/** How far automation may go with each runbook, as people see it. */
import type { PromotionLevel } from "../policy/automation.js";
import type { Automation, Danger, PolicySet } from "../policy/policy.js";
import { higherOf } from "../runbook/promotion.js";
import type { RegisteredRunbook } from "../runbook/registry.js";
import { pinOf } from "../runbook/run.js";
import { readBreaker } from "./automation-breaker.js";
import type { Sql } from "./database.js";
import { readTrust, type TrustSubject } from "./promotions.js";

export interface TrustView {
  readonly runbook: string;
  readonly danger: Danger;
  /** `auto`: alone; `approve`: people agree first; `manual`: a person starts it. */
  readonly level: PromotionLevel;
  /** What the level rests on. */
  readonly reason: string;
  /** What the next level needs; null: there is none. */
  readonly missing: string | null;
  /** What the policy gives it beforehand. */
  readonly grant: PromotionLevel;
  /** Names of the automations that start it. */
  readonly automations: readonly string[];
  /** Why it does not start by itself at all, until a person says so; null: it may. */
  readonly breaker: string | null;
}

type TrustPolicy = Pick<PolicySet, "automation" | "healing">;

export async function viewTrust(
  sql: Sql,
  { runbook, contentHash }: RegisteredRunbook,
  policy: TrustPolicy,
): Promise<TrustView> {
  const { name, danger } = runbook;
  const automations = policy.automation.filter((one) => one.runbook === name);
  const subject = subjectOf(name, pinOf(contentHash), automations);
  const { grant } = subject;
  const breaker = await readBreaker(sql, name);
  const common = { runbook: name, danger, grant, breaker, automations: namesOf(automations) };
  if (danger === "R") return { ...common, level: "auto", reason: "it only reads", missing: null };
  const { level, reason, missing } = await readTrust(
    sql,
    subject,
    policy.healing.automation.promotion,
  );
  return { ...common, level, reason, missing };
}

/** Several automations may start one runbook: the most that one of them is given counts for what it has. */
export function subjectOf(
  runbook: string,
  pin: string,
  automation: readonly Automation[],
): TrustSubject {
  const grant = automation
    .filter((one) => one.runbook === runbook)
    .map(({ trust }): PromotionLevel => trust?.level ?? "manual")
    .reduce(higherOf, "manual");
  return { runbook, pin, grant };
}

function namesOf(automations: readonly Automation[]): string[] {
  return automations.map(({ name }) => name).sort();
}
