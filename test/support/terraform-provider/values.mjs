/**
 * What a provider does to values: the shape of a block, "known after apply" for what it computes, and made-up
 * values for these once it applies. `Body` is an object of a block's attributes and nested blocks.
 *
 * @typedef {import("./schema.mjs").Block} Block
 * @typedef {Record<string, any>} Body
 */
import { isUnknown, UNKNOWN } from "./msgpack.mjs";
import { wireType } from "./schema.mjs";

/**
 * Any object, completed to the block: what is missing becomes null (an attribute) or empty (a nested block), what
 * the block does not have is dropped.
 * @param {Block} block
 * @param {any} value
 */
export function shaped(block, value) {
  if (value === null || isUnknown(value)) return value;
  /** @type {Body} */
  const body = {};
  for (const name of Object.keys(block.attributes ?? {})) body[name] = value[name] ?? null;
  for (const [name, nested] of Object.entries(block.block_types ?? {}))
    body[name] = eachBlock(value[name] ?? noBlock(nested), (one) => shaped(nested.block, one));
  return body;
}

/** @param {import("./schema.mjs").NestedBlock} nested */
function noBlock({ nesting_mode }) {
  if (nesting_mode === "single") return null;
  return nesting_mode === "map" ? {} : [];
}

/**
 * The planned state: what the provider computes and nobody has said is known after apply. On an update Terraform
 * has already put the prior value there, so it stays.
 * @param {Block} block
 * @param {any} proposed
 */
export function planned(block, proposed) {
  return mapComputed(block, proposed, (value) => (value === null ? UNKNOWN : value));
}

/**
 * The state after apply: nothing is unknown any longer.
 * @param {Block} block
 * @param {any} plannedState
 * @param {(name: string) => unknown} make a made-up value of an attribute of the resource itself; undefined when
 *   any will do
 */
export function settled(block, plannedState, make) {
  return mapComputed(block, plannedState, (value, name, type, isOutermost) => {
    if (!isUnknown(value)) return value;
    return (isOutermost ? make(name) : undefined) ?? someValue(wireType(type), name);
  });
}

/**
 * @param {Block} block
 * @param {any} value
 * @param {(value: any, name: string, type: unknown, isOutermost: boolean) => unknown} change
 */
function mapComputed(block, value, change, isOutermost = true) {
  if (value === null || isUnknown(value)) return value;
  const body = { ...value };
  for (const [name, { computed, type }] of Object.entries(block.attributes ?? {}))
    if (computed) body[name] = change(body[name] ?? null, name, type, isOutermost);
  for (const [name, nested] of Object.entries(block.block_types ?? {}))
    body[name] = eachBlock(body[name], (one) => mapComputed(nested.block, one, change, false));
  return body;
}

/** @param {any} value @param {(one: any) => any} change */
function eachBlock(value, change) {
  if (value === null || value === undefined || isUnknown(value)) return value;
  return Array.isArray(value) ? value.map(change) : change(value);
}

/**
 * Of a list of objects there is one, as of the secret that RDS makes for a master user: what reads its first finds it.
 * @param {unknown} type
 * @param {string} name
 * @returns {unknown}
 */
function someValue(type, name) {
  if (type === "number") return 0;
  if (type === "bool") return false;
  if (!Array.isArray(type)) return `${name}-of-stand-in`;
  const [kind, inner] = type;
  if (kind === "map") return {};
  if (kind !== "object") return Array.isArray(inner) ? [someValue(inner, name)] : [];
  const members = Object.entries(inner).map(([key, member]) => [key, someValue(member, key)]);
  return Object.fromEntries(members);
}

/**
 * Whether two values are the same to Terraform: the order of keys says nothing.
 * @param {unknown} one
 * @param {unknown} other
 */
export function isSame(one, other) {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

/** @param {any} value @returns {unknown} */
function sorted(value) {
  if (isUnknown(value)) return "(known after apply)";
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}
