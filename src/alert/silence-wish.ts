/** Whether a silence may be made, and what a change of one becomes: Alertmanager 0.25's rules, and ours on top (X-65). */
import { formatDuration } from "../base/duration.js";
import { didYouMean } from "../base/similar.js";
import { type Matcher, matchesAll, printMatcher } from "../policy/matcher.js";
import type { SilenceLimits } from "../policy/monitoring.js";
import { isNarrow } from "../policy/narrow.js";
import type { AlertLevel, AlertRule } from "../policy/policy.js";
import { readPattern } from "../policy/safe-pattern.js";
import { type Silence, stateOfSilence } from "./silence.js";

/** A silence as somebody asks for it. */
export interface NewSilence {
  /** The silence that it changes; null: a new one. */
  readonly id: string | null;
  readonly matchers: readonly Matcher[];
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly createdBy: string;
  readonly comment: string;
  readonly silencesPages: boolean;
}

/** What a silence is judged by: the policy in force. */
export interface SilenceGround {
  readonly limits: SilenceLimits;
  readonly rules: readonly Pick<AlertRule, "name" | "levels" | "by">[];
}

const MATCHERS_MAX = 20;
const VALUE_MAX = 1_000;
const COMMENT_MAX = 2_000;
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** Sentences that say what is wrong and what to do; none: it may be made. Times as `planUpdate` sets them. */
export function checkSilence(
  wish: NewSilence,
  { limits, rules }: SilenceGround,
  now: Date,
): readonly string[] {
  const badForm = [...checkWords(wish), ...checkMatchers(wish.matchers)];
  if (badForm.length > 0) return badForm;
  return [...checkTimes(wish, limits, now), ...checkReach(wish, limits, rules)];
}

function checkWords({ createdBy, comment }: NewSilence): string[] {
  const found: string[] = [];
  if (createdBy.trim() === "")
    found.push("createdBy is empty: say whose silence it is (amtool: --author)");
  if (comment.trim() === "")
    found.push("comment is empty: say why, for whoever wonders at night (amtool: --comment)");
  if (createdBy.length > VALUE_MAX) found.push(tooLong("createdBy", createdBy, VALUE_MAX));
  if (comment.length > COMMENT_MAX) found.push(tooLong("comment", comment, COMMENT_MAX));
  return found;
}

function tooLong(name: string, { length }: string, most: number): string {
  return `${name} has ${length} characters, expected at most ${most}`;
}

function checkMatchers(matchers: readonly Matcher[]): string[] {
  const { length } = matchers;
  if (length === 0) return ["a silence needs at least one matcher, found none"];
  if (length > MATCHERS_MAX) return [`found ${length} matchers, expected at most ${MATCHERS_MAX}`];
  return matchers.flatMap((matcher) => {
    const { name, value, isRegex } = matcher;
    if (!NAME.test(name)) return [`"${name.slice(0, 100)}" is no name of a label`];
    if (value.length > VALUE_MAX) return [tooLong(`the value of ${name}`, value, VALUE_MAX)];
    const pattern = isRegex ? readPattern(value) : null;
    return pattern && !pattern.ok ? [`the pattern ${printMatcher(matcher)} ${pattern.reason}`] : [];
  });
}

function checkTimes(
  { startsAt, endsAt, silencesPages }: NewSilence,
  { longestMs, longestPagesMs }: SilenceLimits,
  now: Date,
): string[] {
  if (startsAt >= endsAt) return ["start time must be before end time"];
  if (endsAt < now) return ["end time can't be in the past"];
  const most = silencesPages ? longestPagesMs : longestMs;
  const length = +endsAt - +startsAt;
  if (length <= most) return [];
  const what = silencesPages ? "a silence that holds pages back" : "a silence";
  return [
    `${what} lasts at most ${formatDuration(most)}, found ${formatDuration(length)}: ` +
      `end it by ${new Date(+startsAt + most).toISOString()}, and ask again then if it is still needed`,
  ];
}

function checkReach(
  { matchers, silencesPages }: NewSilence,
  { longestPagesMs }: SilenceLimits,
  rules: SilenceGround["rules"],
): string[] {
  const names = rules.map(({ name, levels }) => ({ name, levels: levels.map(({ id }) => id) }));
  if (!isNarrow(matchers, names))
    return [
      "it would hide every alert: pick a rule or a level that exists, such as " +
        'alertname="queue-depth-high" or level="AR-06"; a pattern that fits anything picks nothing',
    ];
  const reached = rules.flatMap((rule) =>
    rule.levels.filter((level) => couldHide(matchers, rule, level)),
  );
  if (reached.length === 0) return [hitsNothing(matchers, rules)];
  const isAllPages = reached.every(({ severity }) => severity === "sev1");
  if (!isAllPages || silencesPages) return [];
  return [
    `it names only what pages (${namesOf(reached)}) and does not say so: write [pages] into the comment, ` +
      `and end it within ${formatDuration(longestPagesMs)}`,
  ];
}

type SilencedRule = SilenceGround["rules"][number];

const OF_EVERY_ALERT: readonly string[] = ["alertname", "rule", "level", "severity"];

/** Whatever the values of the alert's own labels are. A label that it does not have is the empty text. */
function couldHide(matchers: readonly Matcher[], { name, by }: SilencedRule, level: AlertLevel) {
  const own = ["system", ...by];
  const decided = matchers.filter((matcher) => !own.includes(matcher.name));
  const { id, severity } = level;
  return matchesAll(decided, { alertname: name, rule: name, level: id, severity });
}

function hitsNothing(matchers: readonly Matcher[], rules: SilenceGround["rules"]): string {
  const known = matchers.filter(({ name }) => OF_EVERY_ALERT.includes(name));
  const meant = rules.find((rule) => rule.levels.some((level) => couldHide(known, rule, level)));
  const why = meant ? withoutLabel(matchers, meant) : nearRule(matchers, rules);
  return `no rule has an alert that it could hide (${matchers.map(printMatcher).join(" ")}): ${why}`;
}

function withoutLabel(matchers: readonly Matcher[], { name, by }: SilencedRule): string {
  const own = [...OF_EVERY_ALERT, "system", ...by];
  const foreign = matchers.filter((matcher) => !own.includes(matcher.name));
  return `alerts of ${name} have no ${foreign.map((one) => one.name).join(", ")}, only ${own.join(", ")}`;
}

function nearRule(matchers: readonly Matcher[], rules: SilenceGround["rules"]): string {
  const names = rules.map(({ name }) => name);
  const wanted = matchers.find(
    ({ name, isRegex, value }) =>
      ["alertname", "rule"].includes(name) && !isRegex && !names.includes(value),
  );
  const hint = wanted && didYouMean(wanted.value, names);
  return hint ?? "amtool alert query shows the labels of those that fire";
}

const NAMED_MAX = 5;

function namesOf(levels: readonly AlertLevel[]): string {
  const ids = levels.map(({ id }) => id);
  const more = ids.length - NAMED_MAX;
  return [...ids.slice(0, NAMED_MAX), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

export type SilenceUpdate = "in-place" | "expire-and-new" | { readonly refused: string };

/**
 * Alertmanager 0.25's rule (silence/silence.go, canUpdate): what would make it another silence ends the old one and
 * makes a new one. Those of Git are changed in Git.
 */
export function planUpdate(existing: Silence, wish: NewSilence, now: Date): SilenceUpdate {
  if (existing.source === "git")
    return {
      refused: `silence ${existing.id} is ${existing.name} of silences.yaml: change it there, or expire it here`,
    };
  return staysItself(existing, wish, now) ? "in-place" : "expire-and-new";
}

function staysItself(existing: Silence, wish: NewSilence, now: Date): boolean {
  if (matchersKey(existing) !== matchersKey(wish)) return false;
  switch (stateOfSilence(existing, now)) {
    case "active":
      return seconds(existing.startsAt) === seconds(wish.startsAt) && wish.endsAt >= now;
    case "pending":
      return wish.startsAt >= now;
    case "expired":
      return false;
  }
}

function matchersKey({ matchers }: Pick<NewSilence, "matchers">): string {
  return matchers.map(printMatcher).sort().join("\n");
}

function seconds(at: Date): number {
  return Math.floor(at.getTime() / 1_000);
}
