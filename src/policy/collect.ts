/** Files → sections: each file parsed and put where its path says it belongs. */
import type { Problem } from "../base/problem.js";
import { didYouMean } from "../base/similar.js";
import { CATALOGUE_PATH, expectedPath, type FileRole, knownPaths, roleOf } from "./files.js";
import { parsePolicyText } from "./parse.js";
import { isOptional, SECTIONS, type Section } from "./schema.js";
import type { SourceFile } from "./source.js";
import { type Entry, type MapNode, type Node, type PolicyTree, problemAt } from "./tree.js";

/** The environment of one machine: the common files, nothing laid over them. */
export const LOCAL_ENVIRONMENT = "local";

export interface ParsedFile {
  readonly path: string;
  readonly role: FileRole;
  readonly root: MapNode | null;
}

export interface ParsedFiles {
  /** By path. */
  readonly files: readonly ParsedFile[];
  readonly problems: readonly Problem[];
}

export function parseFiles(sources: readonly SourceFile[]): ParsedFiles {
  const problems: Problem[] = [];
  const ordered = [...sources].sort((a, b) => (a.path < b.path ? -1 : 1));
  const files = ordered.map((source): ParsedFile => {
    const parsed = parsePolicyText(source);
    problems.push(...parsed.problems);
    return { path: source.path, role: roleOf(source.path), root: parsed.root };
  });
  return { files, problems };
}

const DEFAULT_SYSTEM = "algobrain";

/** At least one, so that a folder without any is told what it lacks. */
export function systemsOf(files: readonly { readonly path: string }[]): string[] {
  const systems = files.flatMap(({ path }) => {
    const role = roleOf(path);
    return role.kind !== "unknown" && role.system !== null ? [role.system] : [];
  });
  return systems.length === 0 ? [DEFAULT_SYSTEM] : [...new Set(systems)].sort();
}

export function onlySystem(files: readonly SourceFile[]): string {
  const systems = systemsOf(files);
  return systems.length === 1 ? systems[0]! : DEFAULT_SYSTEM;
}

export function environmentsOf(files: readonly ParsedFile[], system: string): string[] {
  return files.flatMap(({ role }) =>
    role.kind === "overlay" && role.system === system ? [role.environment] : [],
  );
}

export interface Collected {
  /** Files of this system, those of all systems, and those that nobody knows. */
  readonly files: readonly ParsedFile[];
  readonly tree: PolicyTree;
  readonly problems: readonly Problem[];
}

export function collectSections(parsed: ParsedFiles, system: string): Collected {
  const files = parsed.files.filter(
    ({ role }) => role.kind === "unknown" || (role.system ?? system) === system,
  );
  const problems = [...parsed.problems, ...files.flatMap((file) => misplaced(file, system))];
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
  return { files, tree, problems };
}

function misplaced({ path, role }: ParsedFile, system: string): Problem[] {
  if (role.kind !== "unknown") return [];
  const hint = path.endsWith(".yml")
    ? "name it .yaml"
    : (didYouMean(path, knownPaths(system)) ?? `policies live in ${knownPaths(system).join(", ")}`);
  return [fileProblem(path, "no policy file has this name", hint)];
}

/** Of a file as a whole. */
export function fileProblem(file: string, message: string, hint?: string): Problem {
  return { file, line: 0, column: 0, message, hint };
}

function missingHint(section: Section): string | undefined {
  return section === "catalogue" ? `${CATALOGUE_PATH} lists every runbook by name` : undefined;
}

/** Alerts are many files and one section: a rule stands in one of them only. */
function joinFiles(roots: readonly MapNode[], problems: Problem[]): MapNode {
  const [first, ...more] = roots as [MapNode, ...MapNode[]];
  if (more.length === 0) return first;
  const entries = new Map<string, Entry>(first.entries);
  for (const [name, entry] of more.flatMap((root) => [...root.entries])) {
    const before = entries.get(name);
    if (!before) entries.set(name, entry);
    else {
      const { file, line } = before.key;
      problems.push(problemAt(entry.key, `found "${name}" twice, first at ${file}:${line}`));
    }
  }
  return { kind: "map", place: first.place, entries };
}

/** Null for the local environment, and for one that there is not. */
export function findOverlay(
  { files }: Collected,
  environment: string,
  system: string,
): { overlay: MapNode | null; problems: Problem[] } {
  if (environment === LOCAL_ENVIRONMENT) return { overlay: null, problems: [] };
  const file = files.find(
    ({ role }) => role.kind === "overlay" && role.environment === environment,
  );
  if (file) return { overlay: file.root, problems: [] };
  const known = [LOCAL_ENVIRONMENT, ...environmentsOf(files, system)];
  const missing = fileProblem(
    `policies/${system}/environments/${environment}.yaml`,
    "is missing",
    didYouMean(environment, known) ?? `environments are ${known.join(", ")}`,
  );
  return { overlay: null, problems: [missing] };
}
