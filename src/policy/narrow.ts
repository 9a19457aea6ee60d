/** Whether a silence says which alerts it means: one that hides everything hides what nobody thought of. */
import { type Matcher, matchesAll } from "./matcher.js";

/** A rule by what matchers can pick of it: its name, and the ids of its levels. */
export interface Pickable {
  readonly name: string;
  /** AR-…. */
  readonly levels: readonly string[];
}

/** The labels of every alert that tell rules apart (`alertLabels` of alert/silence), and whose values are known. */
const VALUES: Readonly<Record<string, (rule: Pickable) => readonly string[]>> = {
  rule: ({ name }) => [name],
  alertname: ({ name }) => [name],
  level: ({ levels }) => levels,
};

/** What no rule and no level is called: a pattern that fits it fits anything. */
const NOBODY = ["", "no-such-name"];

/** One matcher picks by name or level, and leaves at least one of those that there are out. */
export function isNarrow(matchers: readonly Matcher[], rules: readonly Pickable[]): boolean {
  return matchers.some((matcher) => narrows(matcher, rules));
}

function narrows(matcher: Matcher, rules: readonly Pickable[]): boolean {
  const { name, value, isRegex, isEqual } = matcher;
  const valuesOf = Object.hasOwn(VALUES, name) ? VALUES[name] : undefined;
  if (!valuesOf || !isEqual || value === "") return false;
  if (!isRegex) return true;
  const fits = (text: string) => matchesAll([matcher], { [name]: text });
  const known = rules.flatMap(valuesOf);
  return !NOBODY.some(fits) && !(known.length > 1 && known.every(fits));
}
