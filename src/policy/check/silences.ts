/** A silence of Git names what it hides, ends, and has somebody who answers for it. */
import { DAY_MS } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { MONITORING_DEFAULTS } from "../defaults.js";
import { type Matcher, matchesAll, readMatcher } from "../matcher.js";
import { isNarrow, type Pickable } from "../narrow.js";
import { readPattern } from "../safe-pattern.js";
import {
  descend,
  durationOf,
  type Entry,
  entriesOf,
  itemsOf,
  type Node,
  type Place,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { isDay } from "./day.js";
import { checkName } from "./name.js";
import { ownersOf } from "./owners.js";
import { show } from "./shape.js";

export function checkSilences(tree: PolicyTree): Problem[] {
  const owners = ownersOf(tree.get("access"));
  const limits = descend(tree.get("monitoring"), "silences");
  return entriesOf(tree.get("silences")).flatMap(([, { key, node }]) => [
    ...checkTimes(node, limits),
    ...checkName(descend(node, "owner"), owners, {
      what: "owner",
      where: "people and teams of access.yaml",
    }),
    ...checkMatchers({ key, node }, tree.get("alerts")),
  ]);
}

/** Milliseconds; undefined for what is no moment, such as the 30th of February. */
function momentOf(node: Node | undefined): number | undefined {
  const text = textOf(node);
  const ms = text === undefined || !isDay(text.slice(0, 10)) ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function checkTimes(silence: Node, limits: Node | undefined): Problem[] {
  const [starts, ends] = [descend(silence, "starts"), descend(silence, "ends")];
  const wrong = [starts, ends].flatMap((node) =>
    node && textOf(node) !== undefined && momentOf(node) === undefined
      ? [problemAt(node.place, `found ${show(node)}, which is no moment`)]
      : [],
  );
  const [from, to] = [momentOf(starts), momentOf(ends)];
  if (from === undefined || to === undefined || !ends) return wrong;
  if (to <= from) return [problemAt(ends.place, `found ${show(ends)}, expected later than starts`)];
  return checkLength(silence, ends, to - from, limits);
}

function checkLength(
  silence: Node,
  ends: Node,
  lengthMs: number,
  limits: Node | undefined,
): Problem[] {
  const pages = descend(silence, "silencesPages");
  const holdsPages = pages?.kind === "scalar" && pages.value === true;
  const name = holdsPages ? "longestPages" : "longest";
  const { longestMs, longestPagesMs } = MONITORING_DEFAULTS.silences;
  const mostMs = durationOf(descend(limits, name)) ?? (holdsPages ? longestPagesMs : longestMs);
  if (lengthMs <= mostMs) return [];
  const latest = new Date(momentOf(descend(silence, "starts"))! + mostMs);
  return [
    problemAt(
      ends.place,
      `found ${show(ends)}, expected at most ${inDays(mostMs)} after starts: silences.${name} of monitoring.yaml`,
      `write ${latest.toISOString().replace(".000Z", "Z")} or sooner`,
    ),
  ];
}

function inDays(ms: number): string {
  return ms % DAY_MS === 0 ? `${ms / DAY_MS} days` : `${ms / 3_600_000} hours`;
}

function checkMatchers({ key, node }: Entry, alerts: Node | undefined): Problem[] {
  const nodes = itemsOf(descend(node, "matchers")).filter((item) => textOf(item) !== undefined);
  const known = readAlerts(alerts);
  const read = nodes.map((item) => ({ item, matcher: readMatcher(textOf(item)!) }));
  const problems = read.flatMap(({ item, matcher }) =>
    matcher.ok
      ? checkMatcher(item, matcher.value, known)
      : [problemAt(item.place, `found ${show(item)}, ${matcher.reason}`)],
  );
  const matchers = read.flatMap(({ matcher }) => (matcher.ok ? [matcher.value] : []));
  if (problems.length > 0 || nodes.length === 0) return problems;
  if (isNarrow(matchers, known.rules)) return checkTogether(key, matchers, known);
  return [
    problemAt(
      key,
      "would hide every alert, expected a matcher that picks a rule, an alertname or a level",
      'such as rule="queue-depth-high"',
    ),
  ];
}

/** Each may be true of some alert, and all of them of none. */
function checkTogether(
  key: Place,
  matchers: readonly Matcher[],
  { node, rules }: Alerts,
): Problem[] {
  const about = matchers.filter(({ name }) => ["rule", "alertname", "level"].includes(name));
  const isSome = rules.some(({ name, levels }) =>
    levels.some((level) => matchesAll(about, { rule: name, alertname: name, level })),
  );
  return isSome || !node
    ? []
    : [problemAt(key, "would hide nothing: no alert of alerts/*.yaml has all of that")];
}

interface Alerts {
  readonly node: Node | undefined;
  readonly rules: readonly Pickable[];
}

function readAlerts(node: Node | undefined): Alerts {
  const rules = entriesOf(node).map(([name, rule]) => ({
    name,
    levels: entriesOf(descend(rule.node, "levels")).flatMap(
      ([, level]) => textOf(descend(level.node, "id")) ?? [],
    ),
  }));
  return { node, rules };
}

/** Of the labels that tell rules apart the values are known: a slip of the finger would hide nothing. */
function checkMatcher(item: Node, matcher: Matcher, { node, rules }: Alerts): Problem[] {
  const { name, value, isRegex } = matcher;
  const pattern = isRegex ? readPattern(value) : null;
  if (pattern && !pattern.ok)
    return [problemAt(item.place, `found ${show(item)}, which ${pattern.reason}`)];
  if (!node || item.kind !== "scalar") return [];
  if (["rule", "alertname"].includes(name) && !isRegex) {
    const named: Node = { ...item, value, text: value };
    return checkName(named, node, { what: "rule", where: "alerts/*.yaml" });
  }
  const isReached = rules.some((rule) => isPicked(matcher, rule));
  const why = `found ${show(item)}, which is true of no alert of alerts/*.yaml`;
  return isReached ? [] : [problemAt(item.place, why)];
}

function isPicked(matcher: Matcher, { name, levels }: Pickable): boolean {
  const labels = { rule: name, alertname: name };
  if (matcher.name !== "level") return !(matcher.name in labels) || matchesAll([matcher], labels);
  return levels.some((level) => matchesAll([matcher], { level }));
}

/**
 * What is over should be taken out.
 * @param today `2026-11-22`; null: ends are not compared, as a process that starts at night must not fail by the date
 */
export function checkEnded(tree: PolicyTree, today: string | null): Problem[] {
  return entriesOf(tree.get("silences")).flatMap(([, { node }]) => {
    const ends = descend(node, "ends");
    const text = textOf(ends);
    if (today === null || !ends || text === undefined || text.slice(0, 10) >= today) return [];
    return [
      problemAt(
        ends.place,
        `found ${show(ends)}, which is past: today is ${today}`,
        "take the silence out",
      ),
    ];
  });
}
