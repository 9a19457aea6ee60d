/**
 * A view: a private, empty repository of ours through which git reads the objects of a foreign one. Its
 * configuration is ours, and it has one branch, the tags if asked, and nothing else: no hook, include, graft,
 * attribute or promised remote of the foreign repository can act, for git never sees one (decision 0055).
 */
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { HOUR_MS } from "../base/duration.js";
import type { RepoPlace } from "../job/port.js";
import type { Shell } from "../runbook/port.js";
import { type GitCall, runGit } from "./git-command.js";
import { unknownFormat, unreadable } from "./git-faults.js";
import { checkObjects, checkTree } from "./git-objects.js";
import { findPlace, type GitPlace } from "./git-place.js";
import { ifAbsent } from "./if-absent.js";
import { readPlainFile } from "./plain-file.js";

const REF_MAX_BYTES = 4 * 1024;
const CONFIG_MAX_BYTES = 1024 * 1024;
const SHALLOW_MAX_BYTES = 1024 * 1024;
const PACKED_REFS_MAX_BYTES = 64 * 1024 * 1024;
/** A branch that names a branch, and so on: as often as git itself follows. */
const SYMREFS_MAX = 5;
/** No read lasts as long: what is older was left by a process that died. */
const LEFTOVER_MS = HOUR_MS;
const PREFIX = "algobrain-view-";

export interface GitView {
  readonly call: GitCall;
  readonly place: GitPlace;
  /** Of HEAD; null when detached. */
  readonly branch: string | null;
  /** A copy of the foreign configuration, to be read with `git config --file`; null: there is none. */
  readonly config: string | null;
}

export interface ViewSetup {
  readonly shell: Shell;
  /** Folder of ours for views. Default: that of the system for temporary files. */
  readonly views?: string | undefined;
}

export interface ViewWish {
  readonly at: RepoPlace;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Also the tags. */
  readonly withTags?: boolean;
}

/** To be closed with `close`. Throws data faults for what is no repository, is damaged, or leads out of the root. */
export async function openView(
  { shell, views = tmpdir() }: ViewSetup,
  { at, signal, timeoutMs, withTags = false }: ViewWish,
): Promise<GitView & { close(): Promise<void> }> {
  const place = await findPlace(at);
  await checkObjects(place);
  const folder = await mkdtemp(join(views, PREFIX));
  const close = () => rm(folder, { recursive: true, force: true });
  const call = { shell, gitDir: folder, name: at.path, signal, timeoutMs };
  try {
    await layOut(folder);
    await symlink(place.objects, join(folder, "objects"));
    const branch = await copyHead(place, folder);
    await copyIfThere(place, folder, "packed-refs", PACKED_REFS_MAX_BYTES);
    await copyIfThere(place, folder, "shallow", SHALLOW_MAX_BYTES);
    if (withTags) await linkTags(place, folder);
    const config = await copyConfig(place, folder, call);
    return { call, place, branch, config, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The folder for views, private, and without what dead processes left in it. */
export async function prepareViews(views: string): Promise<void> {
  await mkdir(views, { recursive: true, mode: 0o700 });
  await chmod(views, 0o700);
  for (const name of await readdir(views)) {
    const path = join(views, name);
    if (!name.startsWith(PREFIX)) continue;
    const found = await stat(path).catch(ifAbsent(null));
    if (found !== null && Date.now() - found.mtimeMs > LEFTOVER_MS)
      await rm(path, { recursive: true, force: true });
  }
}

async function layOut(folder: string, extensions = ""): Promise<void> {
  const version = extensions === "" ? 0 : 1;
  const config = `[core]\n\trepositoryformatversion = ${version}\n\tbare = true\n${extensions}`;
  await writeFile(join(folder, "config"), config);
  await mkdir(join(folder, "refs"), { recursive: true });
}

/** HEAD and the one branch that it names. Returns that branch without `refs/heads/`; null when detached. */
async function copyHead({ gitDir, commonDir, bounds }: GitPlace, folder: string) {
  const head = await readPlainFile(join(gitDir, "HEAD"), REF_MAX_BYTES);
  if (head === null) throw unreadable(gitDir, "it has no HEAD");
  await writeFile(join(folder, "HEAD"), head);
  const first = targetOf(head);
  let ref = first;
  for (let step = 0; ref !== null && step < SYMREFS_MAX; step++) {
    const path = await bounds.within(join(commonDir, ref), `the ref ${ref}`);
    // It is among the packed ones, or has no commit yet.
    if (path === null) break;
    const text = await readPlainFile(join(commonDir, ref), REF_MAX_BYTES);
    if (text === null) break;
    await mkdir(dirname(join(folder, ref)), { recursive: true });
    await writeFile(join(folder, ref), text);
    ref = targetOf(text);
  }
  return first === null ? null : first.replace(/^refs\/heads\//, "");
}

/** The branch that this one stands for; null for a commit. What is no safe name is left to git, which refuses it. */
function targetOf(text: Buffer): string | null {
  const name = /^ref:\s*(refs\/heads\/[^\0\n]+?)\s*$/.exec(text.toString("utf8"))?.[1];
  if (name === undefined) return null;
  const parts = name.split("/");
  return parts.some((part) => part === "" || part.startsWith(".")) ? null : name;
}

async function copyIfThere(place: GitPlace, folder: string, name: string, bytesMax: number) {
  const bytes = await readPlainFile(join(place.commonDir, name), bytesMax);
  if (bytes !== null) await writeFile(join(folder, name), bytes);
}

async function linkTags({ commonDir, bounds }: GitPlace, folder: string): Promise<void> {
  const tags = await bounds.within(join(commonDir, "refs", "tags"), "refs/tags");
  if (tags === null) return;
  await checkTree(tags);
  await symlink(tags, join(folder, "refs", "tags"));
}

/** Also takes from it the one thing that changes how objects are read: their hash. */
async function copyConfig(place: GitPlace, folder: string, call: GitCall): Promise<string | null> {
  const bytes = await readPlainFile(join(place.commonDir, "config"), CONFIG_MAX_BYTES);
  if (bytes === null) return null;
  const copy = join(folder, "foreign-config");
  await writeFile(copy, bytes);
  if (!/extensions/i.test(bytes.toString("latin1"))) return copy;
  const storage = await readSetting(call, copy, "extensions.refstorage");
  if (storage !== null && storage !== "files")
    throw unknownFormat(place.commonDir, `references are kept as "${storage}"`);
  const format = await readSetting(call, copy, "extensions.objectformat");
  if (format === "sha256") await layOut(folder, "[extensions]\n\tobjectFormat = sha256\n");
  else if (format !== null && format !== "sha1")
    throw unknownFormat(place.commonDir, `objects are named by "${format}"`);
  return copy;
}

/**
 * One value of a copied configuration; null: not set. Nothing that it includes is read, neither file nor pipe
 * (git-config(1): includes are off with `--file`).
 */
export async function readSetting(
  call: GitCall,
  file: string,
  key: string,
): Promise<string | null> {
  const args = ["config", "--file", file, "--no-includes", "--get", key];
  const { exitCode, stdout } = await runGit(call, args, [0, 1]);
  return exitCode === 1 ? null : stdout.trim() || null;
}
