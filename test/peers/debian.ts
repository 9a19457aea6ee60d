/**
 * The alert engines that people know, as Debian 12 has them. What is on PATH is used; else the package is fetched and
 * unpacked below ~/.cache: no root, no service started, nothing installed. Several test runs may do it at once.
 */
import { execFile } from "node:child_process";
import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";

const run = promisify(execFile);

const FETCH_MS = 120_000;
const UNPACK_MS = 60_000;
const ASK_MS = 10_000;

interface Shipped {
  readonly package: string;
  /** Other systems name it differently from Debian. */
  readonly names: readonly string[];
}

const PROGRAMS = {
  promtool: { package: "prometheus", names: ["promtool"] },
  alertmanager: {
    package: "prometheus-alertmanager",
    names: ["prometheus-alertmanager", "alertmanager"],
  },
  amtool: { package: "prometheus-alertmanager", names: ["amtool"] },
  "victoria-metrics": { package: "victoria-metrics", names: ["victoria-metrics"] },
  vmalert: { package: "victoria-metrics", names: ["vmalert"] },
} as const satisfies Readonly<Record<string, Shipped>>;

export type PeerProgram = keyof typeof PROGRAMS;

export type Peer =
  /** `version` is the first line that the program says of itself. */
  | { readonly ok: true; readonly path: string; readonly version: string }
  /** One sentence for the title of what is skipped. */
  | { readonly ok: false; readonly reason: string };

export async function findPeer(program: PeerProgram): Promise<Peer> {
  try {
    const path = (await findOnPath(program)) ?? (await unpacked(program));
    return { ok: true, path, version: await versionOf(program, path) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const line = why.split("\n").find((one) => one.trim() !== "") ?? "no reason given";
    return {
      ok: false,
      reason: `${program} is neither on PATH nor to be had from Debian: ${line}`,
    };
  }
}

async function findOnPath(program: PeerProgram): Promise<string | null> {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return findIn(folders, program);
}

async function findIn(folders: readonly string[], program: PeerProgram): Promise<string | null> {
  for (const folder of folders)
    for (const name of PROGRAMS[program].names)
      if (await isProgram(join(folder, name))) return join(folder, name);
  return null;
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Renamed whole into its place: nobody ever sees half a package, and of two at once the first stays. */
async function unpacked(program: PeerProgram): Promise<string> {
  const cache = join(homedir(), ".cache", "algobrain-peers");
  const place = join(cache, PROGRAMS[program].package);
  const bin = join(place, "usr", "bin");
  const there = await findIn([bin], program);
  if (there !== null) return there;
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, "fetch-"));
  try {
    const whole = await fetchAndUnpack(PROGRAMS[program].package, scratch);
    await rename(whole, place).catch(async (error: unknown) => {
      if ((await findIn([bin], program)) === null) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const path = await findIn([bin], program);
  if (path === null) throw new Error(`the package ${PROGRAMS[program].package} has no ${program}`);
  return path;
}

async function fetchAndUnpack(name: string, scratch: string): Promise<string> {
  // As another account it would have to own the folder; only root is asked to be somebody else.
  const download = () =>
    run("apt-get", ["-o", "APT::Sandbox::User=root", "download", name], {
      cwd: scratch,
      timeout: FETCH_MS,
    });
  await download().catch(async () => {
    // The lists are older than the archive, or this account has none.
    await run("apt-get", ["-qq", "update"], { timeout: FETCH_MS });
    await download();
  });
  const file = (await readdir(scratch)).find((one) => one.endsWith(".deb"));
  if (file === undefined) throw new Error(`apt-get download ${name} left no package`);
  const whole = join(scratch, "whole");
  await run("dpkg-deb", ["-x", join(scratch, file), whole], { timeout: UNPACK_MS });
  return whole;
}

/** Some say it on stdout, some on stderr, and one that Debian built says nothing: its change log does. */
async function versionOf(program: PeerProgram, path: string): Promise<string> {
  const { stdout, stderr } = await run(path, ["--version"], { timeout: ASK_MS });
  const said = `${stdout}${stderr}`.split("\n")[0]!.trim();
  if (said !== "") return said;
  const name = PROGRAMS[program].package;
  const log = join(dirname(dirname(path)), "share", "doc", name, "changelog.Debian.gz");
  return gunzipSync(await readFile(log))
    .toString("utf8")
    .split(";")[0]!;
}
