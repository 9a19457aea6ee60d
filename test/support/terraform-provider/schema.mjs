/**
 * The provider's schema, from the form of `terraform providers schema -json` into the messages of protocol 5
 * (Schema, Schema.Block, Schema.Attribute, Schema.NestedBlock of tfplugin5.proto).
 *
 * @typedef {{ type: unknown, required?: boolean, optional?: boolean, computed?: boolean, sensitive?: boolean }} Attribute
 * @typedef {{ attributes?: Record<string, Attribute>, block_types?: Record<string, NestedBlock> }} Block
 * @typedef {{ nesting_mode: "single" | "list" | "set" | "map", min_items?: number, max_items?: number, block: Block }} NestedBlock
 */
import { encodeMessage } from "./wire.mjs";

const NESTING = { single: 1, list: 2, set: 3, map: 4 };

/** Every resource has one; a plan that did not know it as computed would set it to null each time. */
const ID = { type: "string", optional: true, computed: true };

/**
 * The blocks of one kind (resources or data sources), by type name.
 * @param {Record<string, { block: Block }>} schemas
 * @returns {Record<string, Block>}
 */
export function blocksOf(schemas) {
  return Object.fromEntries(
    Object.entries(schemas).map(([type, { block }]) => [type, withId(block)]),
  );
}

/** @param {Block} block */
function withId(block) {
  return { ...block, attributes: { ...block.attributes, id: ID } };
}

/** @param {Block} block */
export function schemaMessage(block) {
  return encodeMessage([[2, blockFields(block)]]);
}

/**
 * @param {Block} block
 * @returns {import("./wire.mjs").Field[]}
 */
function blockFields(block) {
  const attributes = Object.entries(block.attributes ?? {}).map(([name, attribute]) => [
    2,
    attributeFields(name, attribute),
  ]);
  const nested = Object.entries(block.block_types ?? {}).map(([name, one]) => [
    3,
    nestedFields(name, one),
  ]);
  return [...attributes, ...nested];
}

/** @param {string} name @param {Attribute} attribute */
function attributeFields(name, { type, required, optional, computed, sensitive }) {
  return [
    [1, name],
    [2, JSON.stringify(wireType(type))],
    [4, required === true],
    [5, optional === true],
    [6, computed === true],
    [7, sensitive === true],
  ];
}

/** @param {string} name @param {NestedBlock} nested */
function nestedFields(name, { block, nesting_mode, min_items, max_items }) {
  return [
    [1, name],
    [2, encodeMessage(blockFields(block))],
    [3, NESTING[nesting_mode]],
    [4, min_items],
    [5, max_items],
  ];
}

/**
 * Of what the bindings cannot tell the type it is only read, in text: a truly dynamic type would have to carry its
 * type in each value.
 * @param {unknown} type
 * @returns {unknown}
 */
export function wireType(type) {
  if (type === "dynamic") return "string";
  if (!Array.isArray(type)) return type;
  const [kind, inner] = type;
  if (kind !== "object") return [kind, wireType(inner)];
  const members = Object.entries(inner).map(([name, member]) => [name, wireType(member)]);
  return [kind, Object.fromEntries(members)];
}
