/** All policy files → one frozen PolicySet, or every problem at once, in order of file and line. */
import type { Checked, Problem } from "../base/problem.js";
import {
  checkChanged,
  checkSections,
  type Facts,
  NO_FACTS,
  reviewChanged,
  reviewSections,
} from "./check/sections.js";
import { checkShape } from "./check/shape.js";
import {
  type Collected,
  collectSections,
  environmentsOf,
  findOverlay,
  LOCAL_ENVIRONMENT,
  onlySystem,
  type ParsedFiles,
  parseFiles,
  systemsOf,
} from "./collect.js";
import { ENVIRONMENT_SCHEMA, OVERLAY_SCHEMA } from "./json-schema.js";
import { layOver, OVERLAY_SECTIONS } from "./overlay.js";
import type { PolicySet } from "./policy.js";
import { resolvePolicySet } from "./resolve.js";
import { OPTIONAL_SECTIONS, type RawSet, SECTION_SCHEMAS, type Section } from "./schema.js";
import { sortOnce } from "./sort-problems.js";
import type { SourceFile } from "./source.js";
import { type MapNode, type Node, type PolicyTree, toValue } from "./tree.js";

/**
 * The policies of the only system there is, in one environment.
 * @param files every file for which `isPolicyFile` holds, paths from the root of the repository
 * @param environment `local`, or the name of a file in `environments/`
 */
export function loadPolicySet(
  files: readonly SourceFile[],
  environment: string,
): Checked<PolicySet> {
  const checked = loadRawSet(files, environment);
  return checked.ok ? { ok: true, value: checked.value.set } : checked;
}

/** A valid set as it was written, as it was read, and as it is meant. */
export interface LoadedSet {
  readonly system: string;
  readonly environment: string;
  /** As written, overlay applied, no default filled. */
  readonly raw: RawSet;
  readonly set: PolicySet;
  readonly tree: PolicyTree;
}

/** As `loadPolicySet`, with what it was read from. */
export function loadRawSet(files: readonly SourceFile[], environment: string): Checked<LoadedSet> {
  const common = commonOf(files);
  const { tree, problems } = layEnvironment(common, environment);
  const all = [...common.problems, ...problems, ...checkLaid(common, tree)];
  if (all.length > 0) return { ok: false, problems: sortOnce(all) };
  return { ok: true, value: loadedOf(tree, common.system, environment) };
}

/** By list of files: the environments of a set are loaded one after the other. */
const commons = new WeakMap<readonly SourceFile[], CheckedCommon>();

interface CheckedCommon extends Common {
  /** What the sections say of each other without any overlay. */
  readonly found: readonly Problem[];
}

function commonOf(files: readonly SourceFile[]): CheckedCommon {
  const known = commons.get(files) ?? checkCommon(readCommon(parseFiles(files), onlySystem(files)));
  commons.set(files, known);
  return known;
}

function checkCommon(common: Common): CheckedCommon {
  return { ...common, found: checkSections(common.tree) };
}

/** Only what differs, where the common files are well by themselves; an overlay may also put right what is not. */
function checkLaid({ tree, found }: CheckedCommon, laid: PolicyTree): readonly Problem[] {
  return found.length > 0 ? checkSections(laid) : checkChanged(tree, laid);
}

/** Every system in every environment: what `policy check` says. Empty when all is well. */
export function checkPolicies(files: readonly SourceFile[], facts: Facts = NO_FACTS): Problem[] {
  return examinePolicies(files, facts).problems;
}

export interface Examined {
  readonly problems: Problem[];
  /** Null while there are problems. */
  readonly local: LoadedSet | null;
}

/** As `checkPolicies`, with the set that one machine would work with. Each file is read once. */
export function examinePolicies(files: readonly SourceFile[], facts: Facts): Examined {
  const parsed = parseFiles(files);
  const commons = systemsOf(files).map((system) => readCommon(parsed, system));
  const problems = sortOnce(commons.flatMap((common) => examineSystem(common, facts)));
  const own = commons.find(({ system }) => system === onlySystem(files));
  const isWell = problems.length === 0 && own !== undefined;
  return { problems, local: isWell ? loadedOf(own.tree, own.system, LOCAL_ENVIRONMENT) : null };
}

function examineSystem(common: Common, facts: Facts): Problem[] {
  const { system, files, tree, problems } = common;
  const differing = environmentsOf(files, system).flatMap((environment) => {
    const laid = layEnvironment(common, environment);
    return [...laid.problems, ...reviewChanged(tree, laid.tree, facts)];
  });
  return [...problems, ...reviewSections(tree, facts), ...differing];
}

/** What all environments of a system share, read and checked once. */
interface Common extends Collected {
  readonly system: string;
  /** Sections that have not their shape. */
  readonly broken: ReadonlySet<Section>;
}

function readCommon(parsed: ParsedFiles, system: string): Common {
  const collected = collectSections(parsed, system);
  const problems = [...collected.problems];
  const broken = new Set<Section>();
  for (const [section, node] of collected.tree) {
    const found = checkShape(node, SECTION_SCHEMAS[section]);
    problems.push(...found);
    if (found.length > 0) broken.add(section);
  }
  return { ...collected, system, problems, broken };
}

interface Laid {
  readonly tree: PolicyTree;
  readonly problems: readonly Problem[];
}

function layEnvironment(common: Common, environment: string): Laid {
  const { overlay, problems } = findOverlay(common, environment, common.system);
  if (overlay === null) return { tree: common.tree, problems };
  return applyOverlay(common, overlay);
}

/**
 * A section that is broken and changed here is left out: laid over, it would only repeat its problems
 * in other words. Its own cross-checks run in the environments that leave it alone.
 */
function applyOverlay({ files, tree, broken }: Common, overlay: MapNode): Laid {
  const whole = [...tree].filter(
    ([section]) => !broken.has(section) || !overlay.entries.has(section),
  );
  const laid = layOver(new Map([...emptyOnes(files, overlay), ...whole]), overlay);
  const changed = [...laid.tree].filter(([section]) => overlay.entries.has(section));
  const isSeen = OVERLAY_SECTIONS.every(
    (section) => !overlay.entries.has(section) || laid.tree.has(section),
  );
  return {
    tree: laid.tree,
    problems: [
      // What is laid over a section has its shape checked there.
      ...checkShape(overlay, isSeen ? OVERLAY_SCHEMA : ENVIRONMENT_SCHEMA),
      ...laid.problems,
      ...changed.flatMap(([section, node]) =>
        checkShape(changedPart(section, node, tree.get(section)), SECTION_SCHEMAS[section]),
      ),
    ],
  };
}

/** Of entries by name only those that the environment changes: the others have been checked. */
function changedPart(section: Section, node: Node, common: Node | undefined): Node {
  const isByName = "patternProperties" in SECTION_SCHEMAS[section];
  if (!isByName || node.kind !== "map" || common?.kind !== "map") return node;
  const entries = [...node.entries].filter(([name, entry]) => common.entries.get(name) !== entry);
  return { ...node, entries: new Map(entries) };
}

/** An optional section without a file is one in which nothing is said. */
function emptyOnes(files: Collected["files"], overlay: MapNode): [Section, MapNode][] {
  return OPTIONAL_SECTIONS.filter(
    (section) =>
      overlay.entries.has(section) &&
      !files.some(({ role }) => role.kind === "section" && role.section === section),
  ).map((section) => [section, { kind: "map", place: overlay.place, entries: new Map() }]);
}

/** Every section is there and has its shape: the checks say so. */
function loadedOf(tree: PolicyTree, system: string, environment: string): LoadedSet {
  const raw = Object.fromEntries(
    [...tree].map(([section, node]) => [section, toValue(node)]),
  ) as RawSet;
  const set = deepFreeze(resolvePolicySet(raw, system, environment));
  return { system, environment, raw, set, tree };
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}
