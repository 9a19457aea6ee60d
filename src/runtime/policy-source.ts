/** Reads policy files from a directory: the only place where they touch the disk. */
import type { Stats } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { fault } from "../base/fault.js";
import type { Checked, Problem } from "../base/problem.js";
import { type Examined, examinePolicies, type LoadedSet, loadRawSet } from "../policy/bundle.js";
import { CATALOGUE_PATH, isPolicyFile } from "../policy/files.js";
import type { PolicySet } from "../policy/policy.js";
import type { SourceFile } from "../policy/source.js";

/** What `policies/` is called inside the policy room, whatever the directory's own name. */
const ROOT_NAME = "policies";
/** Of these every policy directory has at least one, however broken it is. */
const ROOT_FILES = ["access.yaml", "automation.yaml", "routes.yaml"];
const HINT = "name the folder that holds access.yaml and algobrain/";

export interface PolicyDirectory {
  readonly files: readonly SourceFile[];
  /** Names of the runbooks beside the catalogue, without `.ts`; null where there are none to see. */
  readonly runbookFiles: readonly string[] | null;
  /** A path of the policy room as the person would type it from the working directory. */
  shown(path: string): string;
}

/**
 * All policy files of a directory, with the catalogue of runbooks beside it or, failing that, ours.
 * Throws a refused Fault when there is no such directory.
 */
export async function readPolicyDirectory(
  directory: string,
  where: { readonly cwd: string; readonly packageRoot: string },
): Promise<PolicyDirectory> {
  const folder = await findFolder(directory, where);
  const names = await readdir(folder, { recursive: true });
  const paths = names
    .map((name) => `${ROOT_NAME}/${name.replaceAll("\\", "/")}`)
    .filter(isPolicyFile);
  const catalogue = await findCatalogue(folder, where.packageRoot);
  const files = await Promise.all([
    ...paths.map((path) => readSource(join(folder, path.slice(ROOT_NAME.length + 1)), path)),
    ...(catalogue === null ? [] : [readSource(catalogue, CATALOGUE_PATH)]),
  ]);
  const shown = (path: string) => {
    const real =
      path === CATALOGUE_PATH ? catalogue : join(folder, path.slice(ROOT_NAME.length + 1));
    return real === null ? path : asTyped(real, directory, where.cwd);
  };
  const runbookFiles = catalogue === null ? null : await listRunbooks(dirname(catalogue));
  return { files: files.filter((file) => file !== null), runbookFiles, shown };
}

/** The policy set of one environment, or every problem at its place as the person would type it. */
export function loadDirectory(directory: PolicyDirectory, environment: string): Checked<PolicySet> {
  const checked = loadDirectoryRaw(directory, environment);
  return checked.ok ? { ok: true, value: checked.value.set } : checked;
}

/** As `loadDirectory`, with what was written. */
export function loadDirectoryRaw(
  directory: PolicyDirectory,
  environment: string,
): Checked<LoadedSet> {
  const checked = loadRawSet(directory.files, environment);
  return checked.ok ? checked : { ok: false, problems: relocate(directory, checked.problems) };
}

/**
 * Every environment of every system.
 * @param today `2026-11-22`: flags that end before are problems
 */
export function examineDirectory(directory: PolicyDirectory, today: string): Examined {
  const { files, runbookFiles } = directory;
  const { problems, local } = examinePolicies(files, { today, runbookFiles });
  return { problems: relocate(directory, problems), local };
}

/** Sentences name other files too. */
const NAMED_FILE = /(?<![\w./-])policies\/[\w./-]*\w/g;

function relocate(directory: PolicyDirectory, problems: readonly Problem[]): Problem[] {
  const retold = (text: string) => text.replaceAll(NAMED_FILE, (path) => directory.shown(path));
  return problems.map(({ file, line, column, message, hint }) => ({
    ...{ file: directory.shown(file), line, column, message: retold(message) },
    ...(hint === undefined ? {} : { hint: retold(hint) }),
  }));
}

async function findFolder(
  directory: string,
  { cwd, packageRoot }: { readonly cwd: string; readonly packageRoot: string },
): Promise<string> {
  const candidates = [
    resolve(cwd, directory),
    ...(isAbsolute(directory) ? [] : [resolve(packageRoot, directory)]),
  ];
  for (const candidate of candidates) {
    const found = await statIfThere(candidate);
    if (!found?.isDirectory()) continue;
    await refuseOtherFolder(candidate, directory);
    return candidate;
  }
  throw fault.refused("POLICY_DIRECTORY_MISSING", `no policy directory "${directory}" here`, {
    hint: HINT,
  });
}

/** Before all of it is read: a slip of the finger may name a whole disk. */
async function refuseOtherFolder(folder: string, typed: string): Promise<void> {
  const names = await readdir(folder);
  if (ROOT_FILES.some((name) => names.includes(name))) return;
  throw fault.refused(
    "POLICY_DIRECTORY_MISSING",
    `"${typed}" holds no policies: found none of ${ROOT_FILES.join(", ")} in it`,
    { hint: HINT },
  );
}

async function findCatalogue(folder: string, packageRoot: string): Promise<string | null> {
  const beside = join(dirname(folder), CATALOGUE_PATH);
  for (const candidate of [beside, join(packageRoot, CATALOGUE_PATH)]) {
    if ((await statIfThere(candidate))?.isFile()) return candidate;
  }
  return null;
}

/** An installed program has them compiled elsewhere: then nobody can say whether one is missing. */
async function listRunbooks(folder: string): Promise<string[] | null> {
  const names = (await readdir(folder)).filter((name) => /(?<!\.d)\.ts$/.test(name));
  return names.length === 0 ? null : names.map((name) => name.replace(/\.ts$/, "")).sort();
}

/** Null for what is named like a file and is none. */
async function readSource(real: string, path: string): Promise<SourceFile | null> {
  const found = await stat(real);
  return found.isFile() ? { path, text: await readFile(real, "utf8") } : null;
}

/** From here, unless that climbs out to where the person did not climb. */
function asTyped(path: string, directory: string, cwd: string): string {
  const fromHere = relative(cwd, path);
  const climbs = (way: string) => way.split(/[\\/]/)[0] === "..";
  return climbs(fromHere) && !climbs(directory) ? path : fromHere || ".";
}

async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}
