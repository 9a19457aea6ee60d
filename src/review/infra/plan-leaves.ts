/** What differs between the two sides of a planned change, attribute by attribute, shown only as far as it may be. */
import { canonicalJson, isJsonObject, type Json, type JsonObject } from "../../base/json.js";
import { containerLeaves } from "./container-leaves.js";
import type { Leaf } from "./plan-document.js";
import { policyLeaves } from "./policy-leaves.js";
import { hide, showName, showValue } from "./shown-values.js";

/** The parallel trees of a `change` of the plan JSON. `true` in a mark covers all that lies below. */
export interface Sides {
  readonly before: Json | undefined;
  readonly after: Json | undefined;
  readonly beforeSensitive: Json | undefined;
  readonly afterSensitive: Json | undefined;
  readonly afterUnknown: Json | undefined;
}

interface Place {
  /** `rule[0].expiration` */
  readonly path: string;
  /** The same without indices. */
  readonly names: readonly string[];
}

/** Deeper than any schema of a provider goes: what is nested further was made to hurt. */
const DEPTH_MAX = 64;

/** JSON in a text, of which parts may be seen. */
const READERS: Readonly<
  Record<string, (before: Json | undefined, after: Json | undefined) => Leaf[]>
> = {
  container_definitions: containerLeaves,
  policy: policyLeaves,
  assume_role_policy: policyLeaves,
};

/** Looked at before anything that goes down by calling itself. */
export function isTooDeep(value: Json | undefined): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) return true;
    level = level.flatMap((one) => (isTree(one) ? Object.values(one) : []));
  }
  return false;
}

/** @param sides not too deep */
export function leavesOf(sides: Sides): Leaf[] {
  return differences(sides, { path: "", names: [] });
}

function differences(sides: Sides, place: Place): Leaf[] {
  const { before, after, afterUnknown } = sides;
  if (afterUnknown === true)
    return [{ path: place.path, before: hidden(sides, place).before, after: { kind: "unknown" } }];
  if (sides.beforeSensitive === true || sides.afterSensitive === true)
    return same(before, after)
      ? []
      : [{ path: place.path, before: hide(before), after: hide(after) }];
  if (isTree(before) || isTree(after) || isTree(afterUnknown)) return childrenOf(sides, place);
  if (same(before, after)) return [];
  return readText(sides, place) ?? [{ path: place.path, ...hidden(sides, place) }];
}

function hidden({ before, after, beforeSensitive }: Sides, { names }: Place): Omit<Leaf, "path"> {
  const isMarked = beforeSensitive === true;
  const show = (value: Json | undefined) => (isTree(value) ? hide(value) : showValue(names, value));
  return { before: isMarked ? hide(before) : show(before), after: show(after) };
}

/** Null: it is not such a text. */
function readText({ before, after }: Sides, { path, names }: Place): Leaf[] | null {
  const name = names.at(-1) ?? "";
  const read = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
  const [old, young] = [parse(before), parse(after)];
  if (!read || old === null || young === null) return null;
  const leaves = read(old.value, young.value).map((leaf) => ({ ...leaf, path: path + leaf.path }));
  // What differs is not among what may be seen.
  return leaves.length > 0 ? leaves : [{ path, before: hide(before), after: hide(after) }];
}

/** Null: that is a text without JSON in it. */
function parse(value: Json | undefined): { readonly value: Json | undefined } | null {
  if (value === undefined || value === null) return { value: undefined };
  if (typeof value !== "string") return null;
  try {
    const read: Json = JSON.parse(value);
    return isTooDeep(read) ? null : { value: read };
  } catch {
    // A text with an expression in it: it is hidden like any other.
    return null;
  }
}

function childrenOf(sides: Sides, place: Place): Leaf[] {
  const trees = [sides.before, sides.after, sides.afterUnknown].filter(isTree);
  if (trees.some((tree) => Array.isArray(tree))) return itemsOf(sides, place);
  const keys = [...new Set(trees.flatMap((tree) => Object.keys(tree)))].sort();
  return keys.flatMap((key) => {
    const name = showName(key);
    const path = place.path === "" ? name : `${place.path}.${name}`;
    return differences(
      each(sides, (tree) => (isJsonObject(tree) ? ownOf(tree, key) : undefined)),
      // The whole key decides what may be shown, also where it is not shown itself.
      { path, names: [...place.names, key] },
    );
  });
}

/** A map may have a key `toString`, and another none of its own. */
function ownOf(tree: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(tree, key) ? tree[key] : undefined;
}

function itemsOf(sides: Sides, place: Place): Leaf[] {
  const lists = [sides.before, sides.after, sides.afterUnknown].filter((tree) =>
    Array.isArray(tree),
  );
  const length = Math.max(...lists.map((list) => list.length));
  return Array.from({ length }, (_, index) =>
    differences(
      each(sides, (tree) => (Array.isArray(tree) ? tree[index] : undefined)),
      { path: `${place.path}[${index}]`, names: place.names },
    ),
  ).flat();
}

/** One step down in all of them; a mark that covers everything goes down with it. */
function each(sides: Sides, step: (tree: Json | undefined) => Json | undefined): Sides {
  const down = (mark: Json | undefined) => (mark === true ? true : step(mark));
  return {
    before: step(sides.before),
    after: step(sides.after),
    beforeSensitive: down(sides.beforeSensitive),
    afterSensitive: down(sides.afterSensitive),
    afterUnknown: down(sides.afterUnknown),
  };
}

function isTree(value: Json | undefined): value is Json[] | { [key: string]: Json } {
  return typeof value === "object" && value !== null;
}

/** Terraform says nothing, null and an empty block where nothing is set. */
function same(before: Json | undefined, after: Json | undefined): boolean {
  return canonicalJson(before ?? null) === canonicalJson(after ?? null);
}
