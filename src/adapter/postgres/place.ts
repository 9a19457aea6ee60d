/**
 * Where the embedded server keeps its files. Normally `<home>/postgres`. Where the account that runs
 * the server cannot enter home (root's checkout inside a folder that is root's alone), it is a folder
 * that the account can enter. `<home>/postgres.json` (mode 0600) points there and keeps the password.
 */
import { randomBytes } from "node:crypto";
import {
  access,
  chmod,
  chown,
  constants,
  link,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { errorMessage, fault } from "../../base/fault.js";
import { type Account, canEnter } from "./account.js";

export interface Place {
  /** Holds `data`, `server.log` and perhaps a copy of the programs. */
  readonly folder: string;
  readonly password: string;
}

const POINTER_NAME = "postgres.json";
const FOLDERS_FOR_ALL = ["/var/lib", "/var/tmp", tmpdir()];

/** The place this home points to; on the first call it is chosen and made. */
export async function findPlace(home: string, account: Account): Promise<Place> {
  await mkdir(home, { recursive: true });
  const known = await readPlace(home);
  if (known) return checkFolder(home, known);
  const chosen = { folder: await makeFolder(home, account), password: newPassword() };
  if (await writePointer(home, chosen)) return chosen;
  // Another process chose at the same moment; its choice holds.
  if (chosen.folder !== ownFolder(home)) await rm(chosen.folder, { recursive: true, force: true });
  return (await readPlace(home)) ?? chosen;
}

/** Deletes the server's files and the pointer. The server must be stopped. */
export async function removePlace(home: string, place: Place): Promise<void> {
  await rm(place.folder, { recursive: true, force: true });
  await rm(join(home, POINTER_NAME), { force: true });
}

function ownFolder(home: string): string {
  return join(resolve(home), "postgres");
}

/** Letters and digits only: it stands in a URL. */
function newPassword(): string {
  return randomBytes(24).toString("hex");
}

async function makeFolder(home: string, account: Account): Promise<string> {
  if (await canEnter(account, resolve(home))) {
    await mkdir(ownFolder(home), { recursive: true });
    return prepare(ownFolder(home), account);
  }
  for (const base of FOLDERS_FOR_ALL) {
    const folder = await mkdtemp(join(base, "algobrain-")).catch(
      () => null, // read-only or not there: the next one may do
    );
    if (folder === null) continue;
    await prepare(folder, account);
    if (await canEnter(account, folder)) return folder;
    await rm(folder, { recursive: true, force: true });
  }
  throw fault.refused(
    "EMBEDDED_DATABASE_PLACE",
    `the account that runs PostgreSQL can enter neither ${resolve(home)} nor ${FOLDERS_FOR_ALL.join(" nor ")}`,
    { hint: "set ALGOBRAIN_HOME to a folder that every user may enter, or set DATABASE_URL" },
  );
}

async function prepare(folder: string, account: Account): Promise<string> {
  await chmod(folder, 0o700);
  if (account) await chown(folder, account.uid, account.gid);
  return folder;
}

/** The place that this home points to; null: it has none yet. */
export async function readPlace(home: string): Promise<Place | null> {
  const file = join(home, POINTER_NAME);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw fault.refused("EMBEDDED_DATABASE_PLACE", `${file} cannot be read: ${error.message}`, {
      hint: "start as the user who made it, or set ALGOBRAIN_HOME to a folder of your own",
    });
  });
  if (text === null) return null;
  try {
    const { folder, password } = JSON.parse(text) as Partial<Place>;
    if (typeof folder === "string" && typeof password === "string") return { folder, password };
    throw new Error("folder and password are missing");
  } catch (error) {
    throw fault.refused(
      "EMBEDDED_DATABASE_PLACE",
      `${file} does not say where the database is: ${errorMessage(error)}`,
      { hint: `restore it, or remove ${home} to begin with an empty database` },
    );
  }
}

async function checkFolder(home: string, place: Place): Promise<Place> {
  try {
    await access(place.folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return place;
  } catch (error) {
    throw fault.refused(
      "EMBEDDED_DATABASE_PLACE",
      `${join(home, POINTER_NAME)} says the database is in ${place.folder}: ${errorMessage(error)}`,
      {
        hint: "bring the folder back, start as the user who made it, or remove the file to begin with an empty database",
      },
    );
  }
}

/** False when another process was first. A link appears whole or not at all. */
async function writePointer(home: string, place: Place): Promise<boolean> {
  const draft = join(home, `${POINTER_NAME}.${randomBytes(6).toString("hex")}`);
  await writeFile(draft, `${JSON.stringify(place)}\n`, { mode: 0o600 });
  try {
    await link(draft, join(home, POINTER_NAME));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
