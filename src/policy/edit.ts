/**
 * One value changed in the text that people wrote: comments, order, quotes and line ends stay as they are. What the
 * checks refuse is refused before any text is made, and what was made is read back before it is handed out.
 */
import { formatProblem, type Problem } from "../base/problem.js";
import { didYouMean } from "../base/similar.js";
import { loadRawSet } from "./bundle.js";
import { NO_FACTS, reviewChanged, reviewSections } from "./check/sections.js";
import { checkShape } from "./check/shape.js";
import { addKey, replaceValue, type TextEdit } from "./edit-text.js";
import { expectedPath, type FileRole, roleOf } from "./files.js";
import { parsePolicyText } from "./parse.js";
import { type PolicyPath, printPolicyPath } from "./path.js";
import { SECTION_SCHEMAS } from "./schema.js";
import type { SourceFile } from "./source.js";
import {
  type MapNode,
  type Node,
  namesOf,
  type PolicyTree,
  problemAt,
  type Scalar,
  type ScalarNode,
  toValue,
} from "./tree.js";

/** What was done, for the pull request: one line. */
export interface Edited {
  /** The whole file as it is now. */
  readonly file: SourceFile;
  /** 1-based, in the new text. */
  readonly line: number;
  /** Without its end; empty when the line is new. Equal to `after` when it said so already. */
  readonly before: string;
  readonly after: string;
}

export type EditResult =
  | { readonly ok: true; readonly value: Edited }
  | { readonly ok: false; readonly problem: Problem };

/**
 * Replaces a value where it stands, or adds a missing optional key behind its last sibling. The file is the one that
 * decides in this environment: its overlay when that says it, else the common file, which then changes it everywhere
 * (whoever opens a pull request checks all environments).
 * @param files every policy file; the set must be valid before
 */
export function editPolicy(
  files: readonly SourceFile[],
  at: { readonly path: PolicyPath; readonly environment: string },
  value: Scalar,
): EditResult {
  const loaded = loadRawSet(files, at.environment);
  if (!loaded.ok) return refused(loaded.problems[0]!);
  const { tree, system } = loaded.value;
  const refusal = refuseValue(tree, at.path, value, system);
  if (refusal) return refused(refusal);
  for (const change of [changeValue, addValue])
    for (const [file, steps] of whereDecided(files, at, system)) {
      const edited = editFile(file, steps, [value, change]);
      if (edited) return edited;
    }
  const [section] = at.path;
  return refused(
    problemAt(
      { file: expectedPath(section, system), line: 0, column: 0 },
      `${printPolicyPath(at.path)} has no place yet: what it belongs to is not written`,
      "write it by hand",
    ),
  );
}

function refused(problem: Problem): EditResult {
  return { ok: false, problem };
}

/** The first thing that the checks say of the set with this value in it; null when they say nothing. */
function refuseValue(
  tree: PolicyTree,
  path: PolicyPath,
  value: Scalar,
  system: string,
): Problem | null {
  const [section, ...steps] = path;
  const root = tree.get(section);
  const missing = { file: expectedPath(section, system), line: 0, column: 0 };
  if (root === undefined) return problemAt(missing, `the policies have no ${section}`);
  const changed = replace(root, steps, value);
  if (!("kind" in changed)) return changed;
  const shape = checkShape(changed, SECTION_SCHEMAS[section]);
  return shape[0] ?? firstNew(tree, new Map(tree).set(section, changed));
}

/** What a review would say of the change, and did not say before. */
function firstNew(before: PolicyTree, after: PolicyTree): Problem | null {
  const found = reviewChanged(before, after, NO_FACTS);
  if (found.length === 0) return null;
  const known = new Set(reviewSections(before, NO_FACTS).map(formatProblem));
  return found.find((problem) => !known.has(formatProblem(problem))) ?? null;
}

/** The tree with another value at the end of the steps, or why there is no such end. */
function replace(node: Node, [step, ...rest]: readonly string[], value: Scalar): Node | Problem {
  if (step === undefined) return replaceScalar(node, value);
  if (node.kind === "list") return replaceItem(node, Number(step), rest, value);
  if (node.kind !== "map") return problemAt(node.place, `found a value, which has no "${step}"`);
  const entry = node.entries.get(step);
  if (!entry && rest.length > 0) return noSuch(node, step);
  const inner = entry
    ? replace(entry.node, rest, value)
    : newScalar({ kind: "scalar", place: node.place, ...NOTHING }, value);
  if (!("kind" in inner)) return inner;
  const key = entry?.key ?? node.place;
  return { ...node, entries: new Map(node.entries).set(step, { key, node: inner }) };
}

const NOTHING = { value: null, text: "", quoted: false, refused: false } as const;

function replaceScalar(node: Node, value: Scalar): Node | Problem {
  if (node.kind === "scalar") return newScalar(node, value);
  const names = namesOf(node).join(", ");
  const hint = node.kind === "map" ? `name one of ${names}` : "name one of its entries: […][0]";
  return problemAt(
    node.place,
    `found ${node.kind === "map" ? "keys" : "a list"}, expected one value`,
    hint,
  );
}

function newScalar(node: ScalarNode, value: Scalar): ScalarNode {
  return { ...node, value, text: String(value), quoted: typeof value === "string" };
}

function replaceItem(
  node: Extract<Node, { kind: "list" }>,
  index: number,
  rest: readonly string[],
  value: Scalar,
): Node | Problem {
  const item = node.items[index];
  if (item === undefined)
    return problemAt(node.place, `found ${node.items.length} entries, expected more than ${index}`);
  const inner = replace(item, rest, value);
  return "kind" in inner ? { ...node, items: node.items.with(index, inner) } : inner;
}

function noSuch(node: MapNode, name: string): Problem {
  return problemAt(node.place, `found no "${name}"`, didYouMean(name, node.entries.keys()));
}

type Steps = readonly string[];

/** The overlay first, then the common files; with what leads to the value inside each. */
function whereDecided(
  files: readonly SourceFile[],
  { path, environment }: { readonly path: PolicyPath; readonly environment: string },
  system: string,
): [SourceFile, Steps][] {
  const [section, ...steps] = path;
  const isOverlay = (role: FileRole) =>
    role.kind === "overlay" && role.environment === environment && role.system === system;
  const isCommon = (role: FileRole) => role.kind === "section" && role.section === section;
  const found = (wanted: (role: FileRole) => boolean, inside: Steps) =>
    files
      .filter((file) => wanted(roleOf(file.path)))
      .map((file): [SourceFile, Steps] => [file, inside]);
  return [...found(isOverlay, path), ...found(isCommon, steps)];
}

type ChangeText = (
  file: SourceFile,
  parent: Around,
  key: string,
  value: Scalar,
) => TextEdit | Problem | null;

/** Null when this file does not say the value, nor, for a new one, what it belongs to. */
function editFile(
  file: SourceFile,
  steps: Steps,
  [value, change]: readonly [Scalar, ChangeText],
): EditResult | null {
  const { root } = parsePolicyText(file);
  const key = steps.at(-1);
  const parent = root && around(root, steps.slice(0, -1));
  if (!parent || key === undefined) return null;
  const edited = change(file, parent, key, value);
  if (edited === null) return null;
  if (!("text" in edited)) return refused(edited);
  const { text, ...line } = edited;
  const done: Edited = { file: { path: file.path, text }, ...line };
  return readsBack(done, root, steps, value)
    ? { ok: true, value: done }
    : refused(
        problemAt(
          (stepInto(parent.node, key) ?? parent.node).place,
          `${key} is written in a way that only a person can change`,
          "edit it by hand",
        ),
      );
}

/** A node, and whether it or anything around it is in brackets or braces. */
interface Around {
  readonly node: Node;
  readonly flow: boolean;
}

function around(root: Node, steps: Steps): Around | null {
  let node: Node = root;
  let flow = isFlow(root);
  for (const step of steps) {
    const next = stepInto(node, step);
    if (next === undefined) return null;
    node = next;
    flow ||= isFlow(next);
  }
  return { node, flow };
}

function isFlow(node: Node): boolean {
  return node.kind !== "scalar" && node.layout?.flow === true;
}

function stepInto(node: Node, step: string): Node | undefined {
  if (node.kind === "list") return node.items[Number(step)];
  return node.kind === "map" ? node.entries.get(step)?.node : undefined;
}

function addValue(
  file: SourceFile,
  { node, flow }: Around,
  key: string,
  value: Scalar,
): TextEdit | Problem | null {
  if (node.kind !== "map" || node.entries.has(key)) return null;
  return addKey(file, node, key, [value, flow]);
}

function changeValue(
  file: SourceFile,
  { node, flow }: Around,
  key: string,
  value: Scalar,
): TextEdit | Problem | null {
  const target = stepInto(node, key);
  return target === undefined ? null : replaceValue(file, target, [value, flow]);
}

/** Nothing but this value is different for the parser. */
function readsBack({ file }: Edited, root: MapNode, steps: Steps, value: Scalar): boolean {
  const { root: now, problems } = parsePolicyText(file);
  const expected = replace(root, steps, value);
  if (now === null || problems.length > 0 || !("kind" in expected)) return false;
  return JSON.stringify(toValue(now)) === JSON.stringify(toValue(expected));
}
