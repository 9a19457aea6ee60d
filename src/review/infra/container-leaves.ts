/** What a task definition's containers differ in: tag of the image, sizes, and the names of variables without values. */
import { canonicalJson, isJsonObject, type Json, type JsonObject } from "../../base/json.js";
import type { Leaf, Shown } from "./plan-document.js";
import { hide, showName, showValue } from "./shown-values.js";

const SIZES = ["cpu", "memory", "memoryReservation", "stopTimeout"];
const NAMED = ["environment", "secrets"];
/** What is read above, and what never changes alone. */
const READ = new Set(["image", ...SIZES, ...NAMED]);

/** Container by container, in their order: a name could be anything. */
export function containerLeaves(before: Json | undefined, after: Json | undefined): Leaf[] {
  const [old, young] = [containersOf(before), containersOf(after)];
  const count = Math.max(old.length, young.length);
  return Array.from({ length: count }, (_, index) =>
    oneContainer(old[index] ?? {}, young[index] ?? {}).map((leaf) => ({
      ...leaf,
      path: `[${index}].${leaf.path}`,
    })),
  ).flat();
}

/** Of what each says itself: nobody inherits a key `toString`. */
function containersOf(value: Json | undefined): JsonObject[] {
  const made = (one: Json) => Object.assign(Object.create(null), isJsonObject(one) ? one : {});
  return (Array.isArray(value) ? value : []).map(made);
}

function oneContainer(before: JsonObject, after: JsonObject): Leaf[] {
  const leaves: Leaf[] = [
    { path: "image", before: showImage(before.image), after: showImage(after.image) },
    ...SIZES.map((name) => ({
      ...{
        path: name,
        before: showNumber(name, before[name]),
        after: showNumber(name, after[name]),
      },
    })),
  ].filter((leaf) => canonicalJson(leaf.before) !== canonicalJson(leaf.after));
  // Of two tags nobody sees that they are of two repositories.
  const [old, young] = [repositoryOf(before.image), repositoryOf(after.image)];
  if (old !== young && old !== undefined && young !== undefined)
    leaves.push({ path: "image.repository", before: hide(old), after: hide(young) });
  if (before.image !== after.image && !leaves.some(({ path }) => path.startsWith("image")))
    leaves.unshift({ path: "image", before: hide(before.image), after: hide(after.image) });
  const rest = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => !READ.has(key) && canonicalJson(before[key]) !== canonicalJson(after[key]))
    .map((key) => ({ path: showName(key), before: hide(before[key]), after: hide(after[key]) }));
  return [
    ...leaves,
    ...NAMED.flatMap((list) => variables(list, before[list], after[list])),
    ...rest,
  ];
}

function showNumber(name: string, value: Json | undefined): Shown {
  return typeof value === "number" ? showValue([name], value) : hide(value);
}

/** The tag alone, and only one of a commit or a digest: the repository names an account. */
function showImage(value: Json | undefined): Shown {
  const tag =
    typeof value === "string" ? /[:@]((?:sha256:)?[0-9a-f]{40,64})$/.exec(value)?.[1] : undefined;
  return tag === undefined ? hide(value) : { kind: "value", text: tag };
}

function repositoryOf(value: Json | undefined): string | undefined {
  return typeof value === "string"
    ? /^(.*)[:@](?:sha256:)?[0-9a-f]{40,64}$/.exec(value)?.[1]
    : undefined;
}

function variables(list: string, before: Json | undefined, after: Json | undefined): Leaf[] {
  const [old, young] = [valuesByName(before), valuesByName(after)];
  const names = [...new Set([...old.keys(), ...young.keys()])].sort();
  return names
    .filter((name) => canonicalJson(old.get(name)) !== canonicalJson(young.get(name)))
    .map((name) => ({
      path: `${list}[${/^[A-Z][A-Z0-9_]{0,63}$/.test(name) ? name : "…"}]`,
      before: hide(old.get(name)),
      after: hide(young.get(name)),
    }));
}

function valuesByName(value: Json | undefined): Map<string, Json> {
  const rows = (Array.isArray(value) ? value : []).filter((one) => isJsonObject(one));
  return new Map(rows.map((row) => [String(row.name), row.value ?? row.valueFrom ?? null]));
}
