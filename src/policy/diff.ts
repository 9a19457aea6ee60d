/** Two policies → what differs between them, entry by entry, so that a reviewer need not compare texts. */
import type { Json } from "../base/json.js";
import type { Change, Operation } from "./change.js";
import { judge } from "./judge.js";
import { entriesByName, isFields, isWhole, type Named, namedAt, patternBelow } from "./layout.js";
import type { PolicySet } from "./policy.js";

/**
 * Everything that must happen to `before` for it to become `after` (see `applyChanges`), in the order of the sections.
 * Empty when both mean the same. A renamed entry is one change and not two.
 */
export function diffPolicies(before: PolicySet, after: PolicySet): Change[] {
  const root: Spot = { at: [], pattern: "" };
  return diffValues(root, before, after).map((operation) => judge(operation, { before, after }));
}

interface Spot {
  readonly at: readonly string[];
  /** `at` with `*` for the names. */
  readonly pattern: string;
}

function below({ at, pattern }: Spot, step: string): Spot {
  return { at: [...at, step], pattern: patternBelow(pattern, step) };
}

function diffValues(spot: Spot, before: unknown, after: unknown): Operation[] {
  const { at, pattern } = spot;
  const named = namedAt(pattern);
  if (named && Array.isArray(before) && Array.isArray(after))
    return diffNamed(spot, named, before, after);
  if (isFields(before) && isFields(after) && !isWhole(pattern) && !isOtherForm(before, after))
    return diffFields(spot, before, after);
  if (isSame(before, after)) return [];
  return [{ op: "set", at, before: before as Json, after: after as Json }];
}

/** A signal of another form has other keys: told as one change, not as five. */
function isOtherForm(before: Fields, after: Fields): boolean {
  return "form" in before && before.form !== after.form;
}

type Fields = Readonly<Record<string, unknown>>;

function diffFields(spot: Spot, before: Fields, after: Fields): Operation[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => diffField(below(spot, key), before[key], after[key]));
}

function diffField(spot: Spot, before: unknown, after: unknown): Operation[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined) return [{ op: "add", at: spot.at, after: after as Json, ahead: null }];
  if (after === undefined) return [{ op: "remove", at: spot.at, before: before as Json }];
  return diffValues(spot, before, after);
}

function diffNamed(
  spot: Spot,
  named: Named,
  before: readonly unknown[],
  after: readonly unknown[],
): Operation[] {
  const [old, fresh] = [entriesByName(named, before), entriesByName(named, after)];
  const renames = findRenames(named, old, fresh);
  const gone = [...old.keys()].filter((name) => !fresh.has(name) && !renames.has(name));
  const kept = [...old.keys()].filter((name) => fresh.has(name) || renames.has(name));
  const names = kept.map((name) => renames.get(name) ?? name);
  const added = addMissing(spot, named, names, fresh);
  const operations = [
    ...[...renames].map(([from, to]): Operation => ({ op: "rename", at: spot.at, from, to })),
    ...gone.map(
      (name): Operation => ({
        ...{ op: "remove", at: below(spot, name).at },
        before: old.get(name) as Json,
      }),
    ),
    ...added,
    ...kept.flatMap((name) => diffEntry(spot, named, old.get(name), fresh, [name, renames])),
  ];
  const touched = renames.size + gone.length + added.length > 0;
  if (touched && named.sorted) names.sort();
  const order = [...fresh.keys()];
  const isMoved = names.some((name, index) => name !== order[index]);
  return isMoved ? [...operations, { op: "order", at: spot.at, names: order }] : operations;
}

function diffEntry(
  spot: Spot,
  { nameKey }: Named,
  old: unknown,
  fresh: ReadonlyMap<string, unknown>,
  [name, renames]: readonly [string, ReadonlyMap<string, string>],
): Operation[] {
  const to = renames.get(name);
  if (to === undefined || nameKey === null) {
    const now = fresh.get(name);
    // Most entries of most changes are the same: nothing is built for them.
    return isSame(old, now) ? [] : diffValues(below(spot, name), old, now);
  }
  return diffValues(below(spot, to), { ...(old as Fields), [nameKey]: to }, fresh.get(to));
}

/** Adds what is new to `names`, last first: so each is put before one that is there already. */
function addMissing(
  spot: Spot,
  named: Named,
  names: string[],
  fresh: ReadonlyMap<string, unknown>,
): Operation[] {
  const there = new Set(names);
  const order = [...fresh.keys()];
  const operations: Operation[] = [];
  for (let index = order.length - 1; index >= 0; index -= 1) {
    const name = order[index]!;
    if (there.has(name)) continue;
    const ahead = named.sorted ? null : (order[index + 1] ?? null);
    const position = ahead === null ? names.length : names.indexOf(ahead);
    names.splice(position, 0, name);
    const at = below(spot, name).at;
    operations.push({ op: "add", at, after: fresh.get(name) as Json, ahead });
  }
  return named.sorted ? operations.reverse() : operations;
}

/** Old name → new name of the entries that are only called differently. */
function findRenames(
  named: Named,
  old: ReadonlyMap<string, unknown>,
  fresh: ReadonlyMap<string, unknown>,
): Map<string, string> {
  const { nameKey } = named;
  const renames = new Map<string, string>();
  if (nameKey === null) return renames;
  const candidates = new Map<string, string>();
  for (const [name, entry] of fresh)
    if (!old.has(name) && named.nameOf(entry as never) === name)
      for (const trace of named.tracesOf(entry as never)) candidates.set(trace, name);
  const taken = new Set<string>();
  for (const [name, entry] of old) {
    if (fresh.has(name)) continue;
    const traces = named.tracesOf(entry as never);
    const to = traces.map((trace) => candidates.get(trace)).find((one) => one && !taken.has(one));
    if (to === undefined) continue;
    renames.set(name, to);
    taken.add(to);
  }
  return renames;
}

/** Keys without a value do not count, nor does the order of keys. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  if (!isFields(a) || !isFields(b)) return false;
  for (const key of Object.keys(a)) if (!isSame(a[key], b[key])) return false;
  return Object.keys(b).every((key) => Object.hasOwn(a, key) || b[key] === undefined);
}
