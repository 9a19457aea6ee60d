/** Which files make up the policies, and what each of them is. Reading them is the caller's part. */
import { SECTIONS, type Section } from "./schema.js";

export const CATALOGUE_PATH = "runbooks/catalogue.yaml";

const GLOBAL_SECTIONS = ["access", "routes", "automation"] as const satisfies readonly Section[];
const SYSTEM_SECTIONS = SECTIONS.filter(
  (section) =>
    section !== "catalogue" && !(GLOBAL_SECTIONS as readonly Section[]).includes(section),
);

export type FileRole =
  | { readonly kind: "section"; readonly section: Section; readonly system: string | null }
  | { readonly kind: "overlay"; readonly environment: string; readonly system: string }
  | { readonly kind: "unknown" };

/**
 * Whether a caller must hand this file to `loadPolicySet`: every YAML file below `policies/`, so that
 * a misnamed one is a problem and not silently ignored, and the catalogue of runbooks.
 * @param path from the root of the repository, with `/`.
 */
export function isPolicyFile(path: string): boolean {
  if (path === CATALOGUE_PATH) return true;
  return /^policies\/(?!schema\/).+\.ya?ml$/.test(path);
}

export function roleOf(path: string): FileRole {
  if (path === CATALOGUE_PATH) return { kind: "section", section: "catalogue", system: null };
  const [root, ...rest] = path.split("/");
  const name = rest.at(-1)?.match(/^(.+)\.yaml$/)?.[1];
  if (root !== "policies" || name === undefined) return { kind: "unknown" };
  if (rest.length === 1) return sectionRole(GLOBAL_SECTIONS, name, null);
  const [system, folder] = rest as [string, string];
  if (rest.length === 2)
    return name === "alerts" ? { kind: "unknown" } : sectionRole(SYSTEM_SECTIONS, name, system);
  if (rest.length === 3 && folder === "alerts")
    return { kind: "section", section: "alerts", system };
  if (rest.length === 3 && folder === "environments")
    return { kind: "overlay", environment: name, system };
  return { kind: "unknown" };
}

function sectionRole(known: readonly Section[], name: string, system: string | null): FileRole {
  const section = known.find((candidate) => candidate === name);
  return section ? { kind: "section", section, system } : { kind: "unknown" };
}

/** Where the file of a section is expected. Alerts are a folder. */
export function expectedPath(section: Section, system: string): string {
  if (section === "catalogue") return CATALOGUE_PATH;
  if ((GLOBAL_SECTIONS as readonly Section[]).includes(section)) return `policies/${section}.yaml`;
  return section === "alerts" ? `policies/${system}/alerts/` : `policies/${system}/${section}.yaml`;
}

/** Paths that would have been understood, for "did you mean". */
export function knownPaths(system: string): string[] {
  const environments = ["staging", "production"].map(
    (name) => `policies/${system}/environments/${name}.yaml`,
  );
  return [...SECTIONS.map((section) => expectedPath(section, system)), ...environments];
}
