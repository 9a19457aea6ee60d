/**
 * Whether a plan may be applied: `ok`, `ask` (a person looks first) or `stop` (a budget of infrastructure.yaml or a loss
 * of data, until exceptions.yaml lets it through). Never `ok` for a plan that is not whole.
 */
import type { BudgetName, PlanBudgets, PlanException } from "../../policy/plan-review.js";
import { capacityGrowth, capacityShrinks } from "./capacity-growth.js";
import { type ChangeClass, type Classified, classify } from "./classify.js";
import { isQuiet, isReplaced, type PlanDocument, type PlannedChange } from "./plan-document.js";
import { type Exceptions, findException } from "./plan-exceptions.js";
import { type PlanFinding, type Verdict, type VerdictState, worstState } from "./verdict.js";

export interface JudgedAt {
  readonly environment: string;
  readonly now: Date;
  /** Resources that exist: what `changesPercent` is a share of. */
  readonly existing: number;
}

/** A share of a handful says nothing: a stack of four would stop at its second change. */
const CHANGES_FLOOR = 5;
const ADDRESSES_TOLD = 200;

/** A finding, with what it does to the verdict when nothing excepts it. */
interface Weighed {
  readonly finding: PlanFinding;
  readonly state: VerdictState;
}

type Judged = PlannedChange & { readonly risk: Classified };

/** @param exceptions of all environments, also those that have expired */
export function judgePlan(
  plan: PlanDocument,
  budgets: PlanBudgets,
  exceptions: readonly PlanException[],
  at: JudgedAt,
): Verdict {
  const moving = plan.changes.filter((change) => !isQuiet(change));
  const changes = moving.map((change) => ({ ...change, risk: riskAmong(change, moving) }));
  const known: Exceptions = { exceptions, at };
  const weighed = [
    ...wholeness(plan),
    ...losses(changes, budgets, known),
    ...counts(changes, budgets, known, at.existing),
    ...looks(changes),
  ];
  const open = weighed.filter(({ finding }) => finding.excepted === null);
  const state = worstState(open.map((one) => one.state));
  return { state, findings: weighed.map(({ finding }) => finding) };
}

const BUCKET = "aws_s3_bucket";
const LIFECYCLE = "aws_s3_bucket_lifecycle_configuration";

/** New rules for a bucket that is not new delete what lies in it: what else is planned says which it is. */
function riskAmong(change: PlannedChange, all: readonly PlannedChange[]): Classified {
  const { type, actions, leaves } = change;
  const isNew = type === LIFECYCLE && actions.every((action) => action === "create");
  const expires = leaves.some(({ path }) => /expiration\b/.test(path));
  const hasNewBucket = all.some((one) => one.type === BUCKET && one.actions.includes("create"));
  if (!isNew || !expires || hasNewBucket) return classify(change);
  const why = "begins to delete from a bucket that this plan does not make";
  return { class: "retention-shorter", why, irreversible: true };
}

function wholeness({ errored, complete }: PlanDocument): Weighed[] {
  const found = [
    ...(errored
      ? [finding("plan-errored", "planning failed on the way: what stands here is not all")]
      : []),
    ...(complete
      ? []
      : [finding("plan-incomplete", "this plan does not reach what is configured")]),
  ];
  return found.map((one) => ({ finding: one, state: "stop" }));
}

/** Data that no revert brings back. */
function losses(changes: readonly Judged[], budgets: PlanBudgets, known: Exceptions): Weighed[] {
  const gone = withClass(changes, "delete-stateful");
  const anew = withClass(changes, "replace-stateful");
  const shorter = withClass(changes, "retention-shorter");
  const deletes = ["delete", "budget:statefulDeletes"] as const;
  const replaces = ["replace", "budget:statefulDeletes"] as const;
  const uncovered = [
    ...gone.filter((one) => findException(one.address, deletes, known) === null),
    ...anew.filter((one) => findException(one.address, replaces, known) === null),
  ];
  const within = uncovered.length <= budgets.statefulDeletes;
  return [
    ...each("delete-stateful", gone, deletes, known, within),
    ...each("replace-stateful", anew, replaces, known, within),
    ...each("retention-shorter", shorter, ["delete"], known, false),
  ];
}

/** One finding for each change: each is a decision of its own. */
function each(
  rule: ChangeClass,
  changes: readonly Judged[],
  allows: readonly PlanException["allows"][],
  known: Exceptions,
  isWithin: boolean,
): Weighed[] {
  return changes.map(({ address, risk }) => {
    const exception = findException(address, allows, known);
    return {
      finding: finding(rule, `${address}: ${risk.why}`, [address], exception),
      // A budget may allow it; a person looks at it all the same.
      state: isWithin ? "ask" : "stop",
    };
  });
}

function counts(
  changes: readonly Judged[],
  budgets: PlanBudgets,
  known: Exceptions,
  existing: number,
): Weighed[] {
  const deleted = withClass(changes, "delete");
  const replaced = withClass(changes, "replace");
  const alarms = withClass(changes, "alarm").filter(({ actions }) => isOnlyDeleted(actions));
  const touched = changes.filter(({ actions }) => !actions.every((one) => one === "create"));
  const growth = capacityGrowth(changes);
  const most = Math.max(CHANGES_FLOOR, (existing * budgets.changesPercent) / 100);
  return [
    ...budget("deletes", deleted, budgets.deletes, "deleted", known),
    ...budget("replaces", replaced, budgets.replaces, "made anew", known),
    ...budget(
      "alarmsRemoved",
      alarms,
      budgets.alarmsRemoved,
      "alarms or their receivers removed",
      known,
    ),
    ...(existing > 0
      ? budget("changesPercent", touched, most, `changed, of ${existing} that exist`, known)
      : []),
    ...growth
      .filter(({ percent }) => percent > budgets.capacityGrowthPercent)
      .flatMap(({ change, path, percent }) =>
        grown({ address: change.address, path, percent }, budgets.capacityGrowthPercent, known),
      ),
  ];
}

function isOnlyDeleted(actions: PlannedChange["actions"]): boolean {
  return actions.includes("delete") && !isReplaced({ actions });
}

/** What is let through does not count; what is left is held against the budget. */
function budget(
  name: BudgetName,
  changes: readonly Judged[],
  most: number,
  words: string,
  known: Exceptions,
): Weighed[] {
  const plain =
    name === "deletes" ? ["delete" as const] : name === "replaces" ? ["replace" as const] : [];
  const allows = [...plain, `budget:${name}` as const];
  const rule = `budget:${name}`;
  const excepted = changes.flatMap((change) => {
    const exception = findException(change.address, allows, known);
    return exception === null ? [] : [{ change, exception }];
  });
  const counted = changes.filter((change) => !excepted.some((one) => one.change === change));
  const passed = excepted.map(
    ({ change, exception }) =>
      ({
        finding: finding(
          rule,
          `${change.address}: ${change.risk.why}`,
          [change.address],
          exception,
        ),
        state: "ok",
      }) as const,
  );
  if (counted.length <= most) return counted.length + passed.length > most ? passed : [];
  const text = `${counted.length} ${words}, and the budget is ${Math.floor(most)}`;
  return [...passed, { finding: finding(rule, text, addressesOf(counted)), state: "stop" }];
}

interface Grown {
  readonly address: string;
  readonly path: string;
  readonly percent: number;
}

function grown({ address, path, percent }: Grown, most: number, known: Exceptions): Weighed[] {
  const exception = findException(address, ["budget:capacityGrowthPercent"], known);
  const text = `${address} ${path} grows by ${Math.round(percent)} %, and the budget is ${most} %`;
  return [
    { finding: finding("budget:capacityGrowthPercent", text, [address], exception), state: "stop" },
  ];
}

/** No number is exceeded, and a person should look all the same. */
function looks(changes: readonly Judged[]): Weighed[] {
  const shrinking = new Set(capacityShrinks(changes).map(({ change }) => change));
  const asked: readonly (readonly [string, string, readonly Judged[]])[] = [
    ["power", "change who may do or reach what", withClass(changes, "power")],
    ["network", "change how it is reached", withClass(changes, "network")],
    ["capacity-shrinks", "leave less than half of what there is", [...shrinking]],
  ];
  return asked
    .filter(([, , found]) => found.length > 0)
    .map(([rule, what, found]) => ({
      finding: finding(rule, `${found.length} ${what}`, addressesOf(found)),
      state: "ask",
    }));
}

function withClass(changes: readonly Judged[], name: ChangeClass): Judged[] {
  return changes.filter(({ risk }) => risk.class === name);
}

function addressesOf(changes: readonly Judged[]): string[] {
  return changes.slice(0, ADDRESSES_TOLD).map(({ address }) => address);
}

function finding(
  rule: string,
  text: string,
  addresses: readonly string[] = [],
  exception: PlanException | null = null,
): PlanFinding {
  const excepted = exception && {
    ...{ name: exception.name, owner: exception.owner, expires: new Date(exception.expires) },
  };
  return { rule, text, addresses, excepted };
}
