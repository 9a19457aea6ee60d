/**
 * A YAML document as a tree in which every key and value remembers its place. Checks read this tree
 * leniently, so that one mistake never hides another; only a tree without problems becomes a policy.
 */
import { parseDuration } from "../base/duration.js";
import type { Problem } from "../base/problem.js";
import type { Section } from "./schema.js";

export interface Place {
  readonly file: string;
  /** 1-based, in UTF-16 units as editors count. */
  readonly line: number;
  readonly column: number;
}

/** Offsets into the text of the file as `Source` has it (no byte order mark), from `start` up to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type Scalar = string | number | boolean | null;

export interface ScalarNode {
  readonly kind: "scalar";
  readonly place: Place;
  /** With its quotes. Absent where nothing is written, for block texts, and for what comes from no file. */
  readonly span?: Span | undefined;
  readonly value: Scalar;
  /** As written, for messages. */
  readonly text: string;
  readonly quoted: boolean;
  /** The parser has already complained about it. */
  readonly refused: boolean;
}

/** Where a list or a map begins, and how it is written. Absent for what comes from no file. */
export interface Layout {
  readonly start: number;
  /** In brackets or braces. */
  readonly flow: boolean;
}

export interface ListNode {
  readonly kind: "list";
  readonly place: Place;
  readonly layout?: Layout | undefined;
  readonly items: readonly Node[];
}

export interface Entry {
  readonly key: Place;
  readonly node: Node;
}

export interface MapNode {
  readonly kind: "map";
  readonly place: Place;
  readonly layout?: Layout | undefined;
  readonly entries: ReadonlyMap<string, Entry>;
}

export type Node = ScalarNode | ListNode | MapNode;

/** All files by what they are, the environment laid over. A section that could not be read is absent. */
export type PolicyTree = ReadonlyMap<Section, Node>;

export function problemAt(place: Place, message: string, hint?: string): Problem {
  return { file: place.file, line: place.line, column: place.column, message, hint };
}

const values = new WeakMap<Node, unknown>();

/**
 * The plain value, made once for each node that it is asked of: whoever gets it shares it, and leaves it as it is.
 * Keys that an object inherits never get here: the parser refuses them.
 */
export function toValue(node: Node): unknown {
  if (node.kind === "scalar") return node.value;
  const known = values.get(node) ?? makeValue(node);
  values.set(node, known);
  return known;
}

function makeValue(node: Node): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(makeValue);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, makeValue(entry.node)]));
}

/** The node below `keys`; undefined when any step is missing or is not a map. */
export function descend(node: Node | undefined, ...keys: readonly string[]): Node | undefined {
  let at = node;
  for (const key of keys) at = at?.kind === "map" ? at.entries.get(key)?.node : undefined;
  return at;
}

export function entriesOf(node: Node | undefined): [string, Entry][] {
  return node?.kind === "map" ? [...node.entries] : [];
}

export function namesOf(node: Node | undefined): string[] {
  return node?.kind === "map" ? [...node.entries.keys()] : [];
}

export function itemsOf(node: Node | undefined): readonly Node[] {
  return node?.kind === "list" ? node.items : [];
}

export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === "scalar" && typeof node.value === "string" ? node.value : undefined;
}

export function numberOf(node: Node | undefined): number | undefined {
  return node?.kind === "scalar" && typeof node.value === "number" ? node.value : undefined;
}

/** Milliseconds. */
export function durationOf(node: Node | undefined): number | undefined {
  const text = textOf(node);
  return text === undefined ? undefined : (parseDuration(text) ?? undefined);
}
