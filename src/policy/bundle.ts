/** All policy files → one frozen PolicySet, or every problem at once, in order of file and line. */
import { type Checked, compareProblems, formatProblem, type Problem } from "../base/problem.js";
import { didYouMean } from "../base/similar.js";
import { checkAlerts } from "./check/alerts.js";
import { checkLimits } from "./check/limits.js";
import { checkReferences } from "./check/references.js";
import { checkShape } from "./check/shape.js";
import { CATALOGUE_PATH, expectedPath, type FileRole, knownPaths, roleOf } from "./files.js";
import { ENVIRONMENT_SCHEMA } from "./json-schema.js";
import { layOver } from "./overlay.js";
import { parsePolicyText } from "./parse.js";
import type { PolicySet } from "./policy.js";
import { resolvePolicySet } from "./resolve.js";
import { isOptional, type RawSet, SECTION_SCHEMAS, SECTIONS, type Section } from "./schema.js";
import type { SourceFile } from "./source.js";
import {
  type Entry,
  type MapNode,
  type Node,
  type PolicyTree,
  problemAt,
  toValue,
} from "./tree.js";

/** The environment of one machine: the common files, nothing laid over them. */
const LOCAL_ENVIRONMENT = "local";

interface ParsedFile {
  readonly path: string;
  readonly role: FileRole;
  readonly root: MapNode | null;
}

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
  return loadParsed(parseAll(files), environment, onlySystem(files));
}

/** Every system in every environment: what `policy check` says. Empty when all is well. */
export function checkPolicies(files: readonly SourceFile[]): Problem[] {
  const parsed = parseAll(files);
  const systems = systemsOf(files);
  const problems = (systems.length > 0 ? systems : [DEFAULT_SYSTEM]).flatMap((system) =>
    [LOCAL_ENVIRONMENT, ...environmentsOf(parsed.files, system)].flatMap((environment) => {
      const checked = loadParsed(parsed, environment, system);
      return checked.ok ? [] : checked.problems;
    }),
  );
  return sortOnce(problems);
}

const DEFAULT_SYSTEM = "algobrain";

function systemsOf(files: readonly SourceFile[]): string[] {
  const systems = files.flatMap(({ path }) => {
    const role = roleOf(path);
    return role.kind !== "unknown" && role.system !== null ? [role.system] : [];
  });
  return [...new Set(systems)].sort();
}

function onlySystem(files: readonly SourceFile[]): string {
  const systems = systemsOf(files);
  return systems.length === 1 ? systems[0]! : DEFAULT_SYSTEM;
}

interface ParsedFiles {
  readonly files: readonly ParsedFile[];
  readonly problems: readonly Problem[];
}

function parseAll(sources: readonly SourceFile[]): ParsedFiles {
  const problems: Problem[] = [];
  const ordered = [...sources].sort((a, b) => (a.path < b.path ? -1 : 1));
  const files = ordered.map((source): ParsedFile => {
    const parsed = parsePolicyText(source);
    problems.push(...parsed.problems);
    return { path: source.path, role: roleOf(source.path), root: parsed.root };
  });
  return { files, problems };
}

function environmentsOf(files: readonly ParsedFile[], system: string): string[] {
  return files.flatMap(({ role }) =>
    role.kind === "overlay" && role.system === system ? [role.environment] : [],
  );
}

function loadParsed(parsed: ParsedFiles, environment: string, system: string): Checked<LoadedSet> {
  const own = parsed.files.filter(
    ({ role }) => role.kind === "unknown" || (role.system ?? system) === system,
  );
  const problems = [...parsed.problems, ...own.flatMap((file) => misplaced(file, system))];
  const common = collectSections(own, system, problems);
  const broken = new Set<Section>();
  for (const [section, node] of common) {
    const found = checkShape(node, SECTION_SCHEMAS[section]);
    problems.push(...found);
    if (found.length > 0) broken.add(section);
  }
  const overlay = findOverlay(own, environment, system, problems);
  const tree = overlay ? applyOverlay(common, broken, overlay, problems) : common;
  problems.push(...checkTree(tree));
  if (problems.length > 0) return { ok: false, problems: sortOnce(problems) };
  // Every section is there and has its shape: the checks above say so.
  const raw = Object.fromEntries(
    [...tree].map(([section, node]) => [section, toValue(node)]),
  ) as RawSet;
  const set = deepFreeze(resolvePolicySet(raw, system, environment));
  return { ok: true, value: { system, environment, raw, set, tree } };
}

/** What the sections say of each other. */
export function checkTree(tree: PolicyTree): Problem[] {
  return [...checkAlerts(tree), ...checkReferences(tree), ...checkLimits(tree)];
}

function misplaced({ path, role }: ParsedFile, system: string): Problem[] {
  if (role.kind !== "unknown") return [];
  const hint = path.endsWith(".yml")
    ? "name it .yaml"
    : (didYouMean(path, knownPaths(system)) ?? `policies live in ${knownPaths(system).join(", ")}`);
  return [fileProblem(path, "no policy file has this name", hint)];
}

function fileProblem(file: string, message: string, hint?: string): Problem {
  return { file, line: 0, column: 0, message, hint };
}

function collectSections(
  files: readonly ParsedFile[],
  system: string,
  problems: Problem[],
): PolicyTree {
  const tree = new Map<Section, Node>();
  for (const section of SECTIONS) {
    const parts = files.filter(({ role }) => role.kind === "section" && role.section === section);
    if (parts.length === 0 && !isOptional(section))
      problems.push(fileProblem(expectedPath(section, system), "is missing", missingHint(section)));
    const roots = parts.flatMap(({ root }) => root ?? []);
    // A file that could not be read at all leaves its section out, so that nothing seems unknown because of it.
    if (roots.length > 0 && roots.length === parts.length)
      tree.set(section, joinFiles(roots, problems));
  }
  return tree;
}

function missingHint(section: Section): string | undefined {
  return section === "catalogue" ? `${CATALOGUE_PATH} lists every runbook by name` : undefined;
}

/** Alerts are many files and one section: a rule stands in one of them only. */
function joinFiles(roots: readonly MapNode[], problems: Problem[]): MapNode {
  const entries = new Map<string, Entry>();
  for (const root of roots) {
    for (const [name, entry] of root.entries) {
      const first = entries.get(name);
      if (!first) entries.set(name, entry);
      else {
        const { file, line } = first.key;
        problems.push(problemAt(entry.key, `found "${name}" twice, first at ${file}:${line}`));
      }
    }
  }
  return { kind: "map", place: roots[0]!.place, entries };
}

function findOverlay(
  files: readonly ParsedFile[],
  environment: string,
  system: string,
  problems: Problem[],
): MapNode | null {
  if (environment === LOCAL_ENVIRONMENT) return null;
  const overlay = files.find(
    ({ role }) => role.kind === "overlay" && role.environment === environment,
  );
  if (overlay) return overlay.root;
  const known = [LOCAL_ENVIRONMENT, ...environmentsOf(files, system)];
  problems.push(
    fileProblem(
      `policies/${system}/environments/${environment}.yaml`,
      "is missing",
      didYouMean(environment, known) ?? `environments are ${known.join(", ")}`,
    ),
  );
  return null;
}

/**
 * A section that is broken and changed here is left out: laid over, it would only repeat its problems
 * in other words. Its own cross-checks run in the environments that leave it alone.
 */
function applyOverlay(
  common: PolicyTree,
  broken: ReadonlySet<Section>,
  overlay: MapNode,
  problems: Problem[],
): PolicyTree {
  problems.push(...checkShape(overlay, ENVIRONMENT_SCHEMA));
  const base = new Map(
    [...common].filter(([section]) => !broken.has(section) || !overlay.entries.has(section)),
  );
  const overlaid = layOver(base, overlay);
  problems.push(...overlaid.problems);
  for (const [section, node] of overlaid.tree)
    if (overlay.entries.has(section)) problems.push(...checkShape(node, SECTION_SCHEMAS[section]));
  return overlaid.tree;
}

/** More than these of one file would hide the others. */
const PROBLEMS_MAX = 100;

/** By file, line and column; the same thing is said once, though every environment finds it. */
function sortOnce(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  const byFile = new Map<string, Problem[]>();
  for (const problem of [...unique.values()].sort(compareProblems)) {
    const all = byFile.get(problem.file) ?? [];
    byFile.set(problem.file, all);
    all.push(problem);
  }
  return [...byFile].flatMap(([file, all]) =>
    all.length <= PROBLEMS_MAX
      ? all
      : [
          ...all.slice(0, PROBLEMS_MAX),
          fileProblem(file, `has more problems than the ${PROBLEMS_MAX} shown`),
        ],
  );
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}
