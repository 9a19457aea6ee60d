/**
 * Where a tree has not the shape of its schema. Ajv would first make a program of each schema, for which every process
 * that reads policies would wait (decision 0035); a test holds these answers to its own.
 */
import { assert } from "../../base/assert.js";
import { canonicalJson } from "../../base/json.js";
import {
  type ListNode,
  type MapNode,
  type Node,
  type Place,
  type Scalar,
  toValue,
} from "../tree.js";

/** The words of JSON Schema that the policies use. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly Scalar[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly maxProperties?: number;
}

export interface Spot {
  readonly node: Node;
  /** Where its key stands, or the node itself when it has none. */
  readonly key: Place;
  readonly schema: Schema;
}

/** A word of the schema that does not hold at this spot. */
export type Misfit = Spot &
  (
    | { readonly [W in Word]: { readonly word: W } }[Word]
    | { readonly word: "additionalProperties" | "required"; readonly name: string }
    | { readonly word: "uniqueItems"; readonly twins: readonly [number, number] }
  );

/** Whether the word holds of a value; it does of every value of a type that it does not speak of. */
const WORDS = {
  type: (node: Node, types: string | readonly string[]) =>
    typeof types === "string" ? TYPES[types]!(node) : types.some((type) => TYPES[type]!(node)),
  enum: (node: Node, values: readonly unknown[]) =>
    node.kind === "scalar" && values.includes(node.value),
  pattern: (node: Node, pattern: string) => !isText(node) || expressionOf(pattern).test(node.value),
  minLength: (node: Node, least: number) => !isText(node) || lengthOf(node.value) >= least,
  maxLength: (node: Node, most: number) => !isText(node) || lengthOf(node.value) <= most,
  minimum: (node: Node, least: number) => !isNumber(node) || node.value >= least,
  maximum: (node: Node, most: number) => !isNumber(node) || node.value <= most,
  exclusiveMinimum: (node: Node, bound: number) => !isNumber(node) || node.value > bound,
  minItems: (node: Node, least: number) => node.kind !== "list" || node.items.length >= least,
  minProperties: (node: Node, least: number) => node.kind !== "map" || node.entries.size >= least,
  maxProperties: (node: Node, most: number) => node.kind !== "map" || node.entries.size <= most,
};
type Word = keyof typeof WORDS;

/** Those that speak of what is inside, and those that are for people. */
const OTHER_WORDS =
  /^(?:items|uniqueItems|properties|patternProperties|additionalProperties|required|description)$/;

const TYPES: Readonly<Record<string, (node: Node) => boolean>> = {
  object: ({ kind }) => kind === "map",
  array: ({ kind }) => kind === "list",
  string: isText,
  number: isNumber,
  integer: (node) => isNumber(node) && Number.isInteger(node.value),
  boolean: (node) => node.kind === "scalar" && typeof node.value === "boolean",
};

function isText(node: Node): node is Node & { readonly value: string } {
  return node.kind === "scalar" && typeof node.value === "string";
}

/** What is infinite came from a number that JSON can write and nobody can keep. */
function isNumber(node: Node): node is Node & { readonly value: number } {
  return node.kind === "scalar" && Number.isFinite(node.value);
}

/** As people count, and not in halves of an emoji. */
function lengthOf(text: string): number {
  return [...text].length;
}

const expressions = new Map<string, RegExp>();

function expressionOf(pattern: string): RegExp {
  const known = expressions.get(pattern) ?? new RegExp(pattern, "u");
  expressions.set(pattern, known);
  return known;
}

/** @param most of more than these the rest is left out */
export function findMisfits(root: Node, schema: Schema, most: number): Misfit[] {
  const found: Misfit[] = [];
  visit({ node: root, key: root.place, schema }, (misfit) => {
    if (found.length < most) found.push(misfit);
  });
  return found;
}

type Tell = (misfit: Misfit) => void;

function visit(spot: Spot, tell: Tell): void {
  const { node, schema } = spot;
  for (const [word, holds] of wordsOf(schema))
    if (!holds(node, schema[word] as never)) tell({ ...spot, word });
  if (node.kind === "list") visitList(node, spot, tell);
  if (node.kind === "map") visitMap(node, spot, tell);
}

type Said = readonly [word: Word, holds: (node: Node, wanted: never) => boolean];
const said = new WeakMap<Schema, readonly Said[]>();

function wordsOf(schema: Schema): readonly Said[] {
  const known = said.get(schema) ?? readWords(schema);
  said.set(schema, known);
  return known;
}

/** A word that is not known would be a rule that nobody keeps. */
function readWords(schema: Schema): Said[] {
  const words = Object.keys(schema).filter((word) => !OTHER_WORDS.test(word));
  return words.map((word) => {
    assert(Object.hasOwn(WORDS, word), `the schemas of policies use the unknown word "${word}"`);
    return [word as Word, WORDS[word as Word]];
  });
}

function visitList(list: ListNode, spot: Spot, tell: Tell): void {
  const { items = {}, uniqueItems = false } = spot.schema;
  const twins = uniqueItems ? findTwins(list, items) : null;
  if (twins) tell({ ...spot, word: "uniqueItems", twins });
  for (const node of list.items) visit({ node, key: node.place, schema: items }, tell);
}

/** The last two that are equal. Where all are of one type, what is of another is told of anyway. */
function findTwins({ items }: ListNode, { type }: Schema): [number, number] | null {
  const seen = new Map<string, number>();
  for (let at = items.length - 1; at >= 0; at--) {
    if (typeof type === "string" && !WORDS.type(items[at]!, type)) continue;
    const text = canonicalJson(toValue(items[at]!));
    const other = seen.get(text);
    if (other !== undefined) return [at, other];
    seen.set(text, at);
  }
  return null;
}

function visitMap(map: MapNode, spot: Spot, tell: Tell): void {
  const { required = [], additionalProperties = true } = spot.schema;
  for (const name of required)
    if (!map.entries.has(name)) tell({ ...spot, word: "required", name });
  for (const [name, { key, node }] of map.entries) {
    const schema = schemaOf(name, spot.schema);
    if (schema) visit({ node, key, schema }, tell);
    else if (!additionalProperties) tell({ ...spot, word: "additionalProperties", name });
  }
}

/** A map has keys of ours or names by people, never both. */
function schemaOf(
  name: string,
  { properties = {}, patternProperties }: Schema,
): Schema | undefined {
  if (Object.hasOwn(properties, name)) return properties[name];
  for (const pattern in patternProperties)
    if (expressionOf(pattern).test(name)) return patternProperties[pattern];
  return undefined;
}
