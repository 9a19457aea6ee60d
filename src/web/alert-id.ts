/** `AR-06`, or `AR-06~worker_type=index`: a level, and one of its alerts. The name of a rule does as well. */
import { similarNames } from "../base/similar.js";
import type { AlertRule } from "../policy/policy.js";
import { HttpProblem } from "./problem.js";

export interface AlertId {
  readonly rule: AlertRule;
  /** Key of the instance; null: all of the rule's. */
  readonly instance: string | null;
}

/** Throws `not-found` with the names that are near. */
export function readAlertId(text: string, rules: readonly AlertRule[]): AlertId {
  const at = text.indexOf("~");
  const name = at < 0 ? text : text.slice(0, at);
  const rule = rules.find(
    (one) => one.name === name || one.levels.some(({ id }) => id === name.toUpperCase()),
  );
  if (rule) return { rule, instance: at < 0 ? null : text.slice(at + 1) };
  const known = rules.flatMap((one) => [one.name, ...one.levels.map(({ id }) => id)]);
  throw noSuchAlert(`There is no rule or level ${JSON.stringify(name.slice(0, 100))}`, name, known);
}

/** Of a rule that is there. */
export function noSuchInstance({ rule, instance }: AlertId, known: readonly string[]): HttpProblem {
  const what = `${rule.name} has no alert ${JSON.stringify(instance?.slice(0, 200))}`;
  return noSuchAlert(what, instance ?? "", known);
}

const NAMED_MAX = 5;

function noSuchAlert(what: string, wrong: string, known: readonly string[]): HttpProblem {
  const near = similarNames(wrong, known, NAMED_MAX);
  const names = near.length > 0 ? near : known.slice(0, NAMED_MAX);
  const hint = names.length > 0 ? `: there is ${names.join(", ")}` : "";
  return new HttpProblem("not-found", `${what}${hint}.`);
}
