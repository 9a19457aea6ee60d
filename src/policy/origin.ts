/** Every value that is in force, and where it comes from: a line of a file, or a default that nobody wrote. */
import type { Json } from "../base/json.js";
import type { LoadedSet } from "./bundle.js";
import { roleOf } from "./files.js";
import { isFields } from "./layout.js";
import { type PolicyPath, printPolicyPath } from "./path.js";
import { SECTIONS } from "./schema.js";
import type { Node } from "./tree.js";
import { fillUnwritten } from "./unwritten.js";

export interface Effective {
  /** As `printPolicyPath` writes it. */
  readonly path: string;
  /** As it is written, or would be: durations are texts. Null where nothing is set, or no bound. */
  readonly value: Json;
  readonly from: "file" | "overlay" | "default";
  /** Null for a default. */
  readonly file: string | null;
  /** 1-based. */
  readonly line: number | null;
}

/** All values at or below the path, in the order of sections and files; null: of the whole set. Empty: no such path. */
export function effectiveValues(loaded: LoadedSet, path: PolicyPath | null): Effective[] {
  const filled = fillUnwritten(loaded.raw, loaded.environment);
  const sections = path === null ? SECTIONS : [path[0]];
  return sections.flatMap((section) =>
    valuesBelow({
      path: [section],
      rest: path?.slice(1) ?? [],
      value: filled[section],
      node: loaded.tree.get(section),
    }),
  );
}

interface Spot {
  readonly path: PolicyPath;
  /** Steps that must still be taken. */
  readonly rest: readonly string[];
  readonly value: unknown;
  /** Undefined: nobody wrote it. */
  readonly node: Node | undefined;
}

function valuesBelow(spot: Spot): Effective[] {
  const { value, node, path, rest } = spot;
  if (value === undefined) return [];
  const steps = stepsOf(value);
  if (steps.length === 0) return rest.length === 0 ? [leaf(spot)] : [];
  const [wanted, ...further] = rest;
  return steps
    .filter(([step]) => wanted === undefined || step === wanted)
    .flatMap(([step, inner]) =>
      valuesBelow({
        path: [...path, step],
        rest: further,
        value: inner,
        node: stepInto(node, step),
      }),
    );
}

/** A list of plain values is one value; of a list of maps each entry is looked into. */
function stepsOf(value: unknown): [string, unknown][] {
  if (isFields(value)) return Object.entries(value);
  if (!Array.isArray(value) || !value.some(isFields)) return [];
  return value.map((item, index) => [String(index), item]);
}

function stepInto(node: Node | undefined, step: string): Node | undefined {
  if (node?.kind === "list") return node.items[Number(step)];
  return node?.kind === "map" ? node.entries.get(step)?.node : undefined;
}

function leaf({ path, value, node }: Spot): Effective {
  const said = { path: printPolicyPath(path), value: value as Json };
  if (node === undefined) return { ...said, from: "default", file: null, line: null };
  const { file, line } = node.place;
  const from = roleOf(file).kind === "overlay" ? "overlay" : "file";
  return { ...said, from, file, line };
}
