/** The vocabulary of the tables: what a change of a number, a word or a list means. */
import type { Json } from "../../base/json.js";
import type { Operation, Risk } from "../change.js";
import type { PolicySet } from "../policy.js";
import { value } from "../words.js";

export interface Sets {
  readonly before: PolicySet;
  readonly after: PolicySet;
}

/** One operation, and the sets around it. */
export interface Seen {
  readonly operation: Operation;
  readonly at: readonly string[];
  /** Undefined: it was not there. */
  readonly before: Json | undefined;
  readonly after: Json | undefined;
  readonly sets: Sets;
}

export interface Verdict {
  readonly risk: Risk;
  readonly words: string;
}

export type Judge = (seen: Seen) => Verdict;
/** By pattern of the path, `*` for names: `workers.*.concurrency`. */
export type Rows = Readonly<Record<string, Judge>>;
/** How risky, and what follows. */
export type Meaning = readonly [Risk, string];

/** `concurrency 1 → 2: more jobs at once`. */
export function verdict(what: string, [risk, follows]: Meaning): Verdict {
  return { risk, words: follows === "" ? what : `${what}: ${follows}` };
}

/**
 * A number of which more means one thing and less another.
 * @param absent what a missing value or null is called; it counts as more than any number
 */
export function amount(
  label: string,
  print: (value: number) => string,
  { more, less, absent = "no bound" }: { more: Meaning; less: Meaning; absent?: string },
): Judge {
  return ({ before, after }) => {
    const [from, to] = [numberOf(before), numberOf(after)];
    const show = (number: number) => (number === Number.POSITIVE_INFINITY ? absent : print(number));
    return verdict(`${label} ${show(from)} → ${show(to)}`, to > from ? more : less);
  };
}

export function numberOf(json: Json | undefined): number {
  return typeof json === "number" ? json : Number.POSITIVE_INFINITY;
}

/** A number that says nothing of risk by being more or less. */
export function figure(label: string, print: (value: number) => string, follows = ""): Judge {
  const meaning: Meaning = ["neutral", follows];
  return amount(label, print, { more: meaning, less: meaning, absent: "none" });
}

/** Whatever it becomes, it means the same. */
export function exchange(label: string, meaning: Meaning = ["neutral", ""]): Judge {
  return ({ before, after }) =>
    verdict(`${label} ${value(before)} → ${value(after)}`.trimStart(), meaning);
}

/** ISO texts of one form: their order is that of time. */
export function moment(
  label: string,
  { later, sooner }: { later: Meaning; sooner: Meaning },
): Judge {
  return ({ before, after }) =>
    verdict(
      `${label} ${value(before)} → ${value(after)}`,
      String(after) > String(before) ? later : sooner,
    );
}

/** A word out of a list in which later ones mean more. */
export function ranked(
  label: string,
  words: readonly string[],
  { more, less }: { more: Meaning; less: Meaning },
): Judge {
  return ({ before, after }) => {
    const [from, to] = [before, after].map((word) => words.indexOf(String(word)));
    return verdict(`${label} ${value(before)} → ${value(after)}`, to! > from! ? more : less);
  };
}

export function toggle(label: string, { on, off }: { on: Meaning; off: Meaning }): Judge {
  return ({ after }) =>
    verdict(`${label} ${after === true ? "on" : "off"}`, after === true ? on : off);
}

/** A list in which every entry counts for itself. What is lost decides when some are lost and some are new. */
export function members({ lost, gained }: { lost: Meaning; gained: Meaning }): Judge {
  return ({ before, after }) => {
    const [old, now] = [listOf(before), listOf(after)];
    const gone = old.filter((item) => !now.includes(item));
    const fresh = now.filter((item) => !old.includes(item));
    const parts = [
      ...(gone.length > 0 ? [`${lost[1]} ${gone.join(", ")}`] : []),
      ...(fresh.length > 0 ? [`${gained[1]} ${fresh.join(", ")}`] : []),
    ];
    if (parts.length === 0)
      return { risk: "neutral", words: `in another order: ${now.join(", ")}` };
    const risks = [...(gone.length > 0 ? [lost[0]] : []), ...(fresh.length > 0 ? [gained[0]] : [])];
    return { risk: risks.includes("looser") ? "looser" : risks[0]!, words: parts.join("; ") };
  };
}

export function listOf(json: Json | undefined): string[] {
  return Array.isArray(json) ? json.map(String) : [];
}

/** A whole entry that comes or goes. */
export function entry({ added, removed }: { added: Meaning; removed: Meaning }): Judge {
  return ({ operation }) => {
    const [risk, words] = operation.op === "add" ? added : removed;
    return { risk, words };
  };
}
