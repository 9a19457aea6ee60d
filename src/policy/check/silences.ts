/** A silence of Git names what it hides, ends, and has somebody who answers for it. */
import { DAY_MS } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { MONITORING_DEFAULTS } from "../defaults.js";
import { type Matcher, readMatcher } from "../matcher.js";
import { readPattern } from "../safe-pattern.js";
import {
  descend,
  durationOf,
  type Entry,
  entriesOf,
  itemsOf,
  type Node,
  namesOf,
  type PolicyTree,
  problemAt,
  textOf,
} from "../tree.js";
import { isDay } from "./day.js";
import { checkName } from "./name.js";
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

/** People and their teams as one map of names; undefined when nobody could be read. */
function ownersOf(access: Node | undefined): Node | undefined {
  const people = descend(access, "people");
  if (!people) return undefined;
  const teams = entriesOf(people).flatMap(([, { node }]) =>
    itemsOf(descend(node, "teams")).flatMap((team): [string, Entry][] => {
      const name = textOf(team);
      return name === undefined ? [] : [[name, { key: team.place, node: team }]];
    }),
  );
  return { kind: "map", place: people.place, entries: new Map([...teams, ...entriesOf(people)]) };
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
  const rules = namesOf(alerts);
  const read = nodes.map((item) => ({ item, matcher: readMatcher(textOf(item)!) }));
  const problems = read.flatMap(({ item, matcher }) =>
    matcher.ok
      ? checkMatcher(item, matcher.value, alerts)
      : [problemAt(item.place, `found ${show(item)}, ${matcher.reason}`)],
  );
  const isNarrow = read.some(({ matcher }) => matcher.ok && narrows(matcher.value, rules));
  if (problems.length > 0 || nodes.length === 0 || isNarrow) return problems;
  return [
    problemAt(
      key,
      "would hide every alert, expected a matcher that picks a rule, an alertname or a level",
      'such as rule="queue-depth-high"',
    ),
  ];
}

function checkMatcher(item: Node, matcher: Matcher, alerts: Node | undefined): Problem[] {
  const { name, value, isRegex } = matcher;
  if (isRegex) {
    const pattern = readPattern(value);
    if (!pattern.ok) return [problemAt(item.place, `found ${show(item)}, which ${pattern.reason}`)];
    return name === "rule" ? checkReaches(item, pattern.value, alerts) : [];
  }
  if (name !== "rule" || item.kind !== "scalar") return [];
  const named: Node = { ...item, value, text: value };
  return checkName(named, alerts, { what: "rule", where: "alerts/*.yaml" });
}

/** A pattern that no rule has hides nothing, and whoever wrote it believes otherwise. */
function checkReaches(item: Node, pattern: RegExp, alerts: Node | undefined): Problem[] {
  const rules = namesOf(alerts);
  return rules.length === 0 || rules.some((rule) => pattern.test(rule))
    ? []
    : [problemAt(item.place, `found ${show(item)}, which no rule of alerts/*.yaml matches`)];
}

const NARROWING: readonly string[] = ["rule", "alertname", "level"];
/** Of no rule and no level: what matches these matches anything. */
const NOBODY = ["", "no-such-name"];

function narrows({ name, value, isRegex, isEqual }: Matcher, rules: readonly string[]): boolean {
  if (!isEqual || !NARROWING.includes(name) || value === "") return false;
  if (!isRegex) return true;
  const pattern = readPattern(value);
  if (!pattern.ok || NOBODY.some((text) => pattern.value.test(text))) return false;
  return name !== "rule" || rules.length < 2 || !rules.every((rule) => pattern.value.test(rule));
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
