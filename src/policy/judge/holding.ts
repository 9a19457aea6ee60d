/** What it means when a level counts other ticks, and when words are held together or held back otherwise. */
import type { Json } from "../../base/json.js";
import type { AlertLevel, AlertRule } from "../policy.js";
import { type Judge, type Meaning, members, verdict } from "./row.js";

const LATER: Meaning = ["looser", "fires later"];
const SOONER: Meaning = ["stricter", "fires sooner"];

/** Null: time is what counts, and `for` says how much. */
export const judgeTicks: Judge = ({ before, after }) => {
  const [was, is] = [before, after] as unknown as [AlertLevel["mOf"], AlertLevel["mOf"]];
  const words = `must hold ${was ? ticks(was) : "in time"} → ${is ? ticks(is) : "in time"}`;
  if (!was || !is) return verdict(words, ["looser", "fires in another way"]);
  return verdict(words, is[0] >= was[0] && is[1] <= was[1] ? LATER : pickSooner(was, is));
};

function pickSooner(was: readonly [number, number], is: readonly [number, number]): Meaning {
  return is[0] <= was[0] && is[1] >= was[1] ? SOONER : ["looser", "fires in another way"];
}

/** `3 of 5 ticks`. */
export function ticks([m, n]: readonly [number, number]): string {
  return `${m} of ${n} ticks`;
}

export const judgeGroup: Judge = ({ before, after }) => {
  const show = (json: Json | undefined) => {
    const labels = (json ?? null) as AlertRule["groupBy"];
    if (labels === null) return "each by itself";
    return labels.length === 0 ? "all together" : `together by ${labels.join(", ")}`;
  };
  return verdict(`instances told ${show(before)} → ${show(after)}`, ["neutral", ""]);
};

const WITHHELD = members({
  lost: ["stricter", "no longer held back by"],
  gained: ["looser", "not told while it fires:"],
});

export const judgeInhibitors: Judge = (seen) => {
  const show = (json: Json | undefined) =>
    ((json ?? []) as unknown as AlertRule["inhibitedBy"]).map(({ rule, equal }) =>
      equal.length === 0 ? rule : `${rule} (same ${equal.join(", ")})`,
    );
  return WITHHELD({ ...seen, before: show(seen.before), after: show(seen.after) });
};
