/** What a diff says, done: `applyChanges(diffPolicies(a, b), a)` equals `b`, so a diff leaves nothing out. */
import { assert } from "../base/assert.js";
import type { Json } from "../base/json.js";
import type { Change, Operation } from "./change.js";
import { entriesByName, isFields, isWhole, namedAt, patternBelow, patternOf } from "./layout.js";
import type { PolicySet } from "./policy.js";

/** The set while it is worked on: lists of named entries are maps by name. */
type Draft = Json | Map<string, Draft> | { [key: string]: Draft };

/** Later operations speak of entries under their new names, and of neighbours that are there. */
const STEPS: readonly Operation["op"][] = ["rename", "remove", "add", "set", "order"];

/** Throws an AssertionError when a change does not fit the set, which a diff of this set never does. */
export function applyChanges(changes: readonly Change[], before: PolicySet): PolicySet {
  const root = thaw(before, "");
  const unsorted = new Set<Draft>();
  for (const step of STEPS)
    for (const { operation } of changes)
      if (operation.op === step) applyOne(root, operation, unsorted);
  return restore(root, unsorted) as PolicySet;
}

function thaw(value: unknown, pattern: string): Draft {
  const named = namedAt(pattern);
  if (named && Array.isArray(value)) {
    const entries = entriesByName(named, value);
    return new Map([...entries].map(([name, entry]) => [name, thaw(entry, `${pattern}.*`)]));
  }
  if (!isFields(value) || isWhole(pattern)) return structuredClone(value) as Draft;
  const fields = Object.entries(value).map(([key, inner]) => [
    key,
    thaw(inner, patternBelow(pattern, key)),
  ]);
  return Object.fromEntries(fields) as Draft;
}

function restore(draft: Draft, unsorted: ReadonlySet<Draft>): unknown {
  if (draft instanceof Map) {
    const entries = [...draft];
    if (unsorted.has(draft)) entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.map(([, entry]) => restore(entry, unsorted));
  }
  if (!isFields(draft)) return draft;
  const fields = Object.entries(draft).map(([key, inner]) => [
    key,
    restore(inner as Draft, unsorted),
  ]);
  return Object.fromEntries(fields);
}

function applyOne(root: Draft, operation: Operation, unsorted: Set<Draft>): void {
  if (operation.op === "rename") rename(root, operation, unsorted);
  else if (operation.op === "order") reorder(root, operation, unsorted);
  else change(root, operation, unsorted);
}

type OfOneValue = Exclude<Operation, { op: "rename" | "order" }>;

function change(root: Draft, operation: OfOneValue, unsorted: Set<Draft>): void {
  const { at } = operation;
  const parent = find(root, at.slice(0, -1));
  const key = at.at(-1);
  assert(key !== undefined, "a change has no place");
  if (namedAt(patternOf(at.slice(0, -1)))?.sorted) unsorted.add(parent);
  if (operation.op === "remove") take(parent, key);
  else put(parent, key, thaw(operation.after, patternOf(at)), operation);
}

function find(root: Draft, at: readonly string[]): Draft {
  let draft: Draft | undefined = root;
  for (const key of at) draft = draft instanceof Map ? draft.get(key) : fieldOf(draft, key);
  assert(draft !== undefined, `a change names ${at.join(".")}, which is not there`);
  return draft;
}

function fieldOf(draft: Draft | undefined, key: string): Draft | undefined {
  return isFields(draft) ? (draft[key] as Draft | undefined) : undefined;
}

function take(parent: Draft, key: string): void {
  if (parent instanceof Map) parent.delete(key);
  else if (isFields(parent)) delete (parent as { [key: string]: Draft })[key];
}

function put(parent: Draft, key: string, value: Draft, operation: Operation): void {
  if (!(parent instanceof Map)) {
    assert(isFields(parent), `a change puts ${key} into what has no keys`);
    (parent as { [key: string]: Draft })[key] = value;
    return;
  }
  const ahead = operation.op === "add" ? operation.ahead : null;
  if (ahead === null) parent.set(key, value);
  else refill(parent, insertAhead([...parent], [key, value], ahead));
}

function insertAhead(
  entries: [string, Draft][],
  entry: [string, Draft],
  ahead: string,
): [string, Draft][] {
  const index = entries.findIndex(([name]) => name === ahead);
  assert(index !== -1, `a change names ${ahead}, which is not there`);
  return entries.toSpliced(index, 0, entry);
}

function refill(map: Map<string, Draft>, entries: readonly [string, Draft][]): void {
  map.clear();
  for (const [name, entry] of entries) map.set(name, entry);
}

function rename(
  root: Draft,
  { at, from, to }: Extract<Operation, { op: "rename" }>,
  unsorted: Set<Draft>,
): void {
  const named = namedAt(patternOf(at));
  const list = find(root, at);
  assert(list instanceof Map && named?.nameKey, `a change renames ${from} in what has no names`);
  if (named.sorted) unsorted.add(list);
  const entry = list.get(from);
  assert(isFields(entry), `a change renames ${from}, which is not there`);
  (entry as { [key: string]: Draft })[named.nameKey] = to;
  refill(
    list,
    [...list].map(([name, one]) => [name === from ? to : name, one]),
  );
}

function reorder(
  root: Draft,
  { at, names }: Extract<Operation, { op: "order" }>,
  unsorted: Set<Draft>,
): void {
  const list = find(root, at);
  assert(list instanceof Map && list.size === names.length, "a change orders other entries");
  unsorted.delete(list);
  const entries = names.map((name): [string, Draft] => [name, find(list, [name])]);
  refill(list, entries);
}
