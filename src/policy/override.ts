/** Break-glass: single values laid over what people wrote. The checks are those of every policy; who may what cannot be overridden. */
import { DAY_MS } from "../base/duration.js";
import { isJsonObject, type Json, type JsonObject } from "../base/json.js";
import { formatProblem } from "../base/problem.js";
import { loadFromRaw } from "./from-raw.js";
import { type PolicyPath, parsePolicyPath } from "./path.js";
import type { PolicySet } from "./policy.js";
import type { Section } from "./schema.js";

/** An emergency is over after three days, or it is a change. */
export const OVERRIDE_MAX_MS = 3 * DAY_MS;
/** Who may do what, and what holds a policy back, is changed by review alone. */
const NOT_OVERRIDDEN: readonly Section[] = ["access", "automation", "adoption", "catalogue"];

export interface OverriddenValue {
  /** `retention.events_retention_days`. */
  readonly path: string;
  readonly value: Json;
}

export interface Written {
  readonly sections: JsonObject;
  readonly system: string;
  readonly environment: string;
}

export type Overridden =
  | {
      readonly ok: true;
      readonly sections: JsonObject;
      readonly set: PolicySet;
      /** What was written there; null: nothing, so a default held. */
      readonly was: Json;
    }
  | { readonly ok: false; readonly sentence: string };

/** One value over what is written; refused where it makes no valid policy. */
export function overrideValue(written: Written, { path, value }: OverriddenValue): Overridden {
  const steps = parsePolicyPath(path);
  if (steps === null)
    return refused(`"${path}" is no path such as retention.events_retention_days`);
  const was = valueAt(written.sections, steps);
  const sections = setAt(written.sections, steps, value);
  if (was === undefined || sections === undefined)
    return refused(`${path} leads nowhere: what it belongs to is not written`);
  const checked = loadFromRaw(sections, written.system, written.environment);
  if (!checked.ok) return refused(checked.problems.slice(0, 3).map(formatProblem).join("; "));
  return { ok: true, sections: sections as JsonObject, set: checked.value, was };
}

function refused(sentence: string): Overridden {
  return { ok: false, sentence };
}

/** Why no emergency may set this; null: it may. */
export function whyNotOverridden(
  path: PolicyPath,
  before: PolicySet,
  after: PolicySet,
): string | null {
  const [section] = path;
  if (NOT_OVERRIDDEN.includes(section))
    return `${section} is changed by review alone: open a pull request`;
  const [was, is] = [before.retention, after.retention];
  const shorter = Object.keys(was).filter((name) => isShorter(was, is, name as keyof typeof was));
  return shorter.length > 0 ? "a shorter retention deletes for ever: open a pull request" : null;
}

/** Null is for ever. */
function isShorter(
  was: PolicySet["retention"],
  is: PolicySet["retention"],
  name: keyof PolicySet["retention"],
): boolean {
  // Not how long something is kept, but when somebody is told.
  if (name === "quarantinedJobsWarnDays") return false;
  return (is[name] ?? Infinity) < (was[name] ?? Infinity);
}

/** Undefined: it leads nowhere. Null: the last step is a key that is not written. */
function valueAt(node: Json, steps: readonly string[]): Json | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return node;
  const inner = childOf(node, step);
  if (inner !== undefined) return valueAt(inner, rest);
  return isJsonObject(node) && rest.length === 0 ? null : undefined;
}

function setAt(node: Json, steps: readonly string[], value: Json): Json | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  const inner = rest.length === 0 ? value : setInner(node, step, rest, value);
  if (inner === undefined) return undefined;
  if (Array.isArray(node))
    return childOf(node, step) === undefined ? undefined : node.with(Number(step), inner);
  return isJsonObject(node) ? { ...node, [step]: inner } : undefined;
}

function setInner(
  node: Json,
  step: string,
  rest: readonly string[],
  value: Json,
): Json | undefined {
  const child = childOf(node, step);
  return child === undefined ? undefined : setAt(child, rest, value);
}

function childOf(node: Json, step: string): Json | undefined {
  if (Array.isArray(node)) return /^\d+$/.test(step) ? node[Number(step)] : undefined;
  return isJsonObject(node) && Object.hasOwn(node, step) ? node[step] : undefined;
}
