/** Clones without file contents: fetched from a real `git http-backend`, kept within bounds, shared by processes. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CloneCacheSetup, createCloneCache } from "../../src/adapter/clone-cache.js";
import { tryLock } from "../../src/adapter/clone-lock.js";
import { repackWhenMany } from "../../src/adapter/clone-packs.js";
import { createGit } from "../../src/adapter/git.js";
import { createShell } from "../../src/adapter/shell.js";
import type { Fault } from "../../src/base/fault.js";
import { SecretText } from "../../src/base/secret-text.js";
import type { RepoPlace } from "../../src/job/port.js";
import type { SourceRepo } from "../../src/job/source-port.js";
import type { Shell } from "../../src/runbook/port.js";
import { isGone, processKey } from "../../src/runtime/process-key.js";
import { allowFilters, type GitHost, withGitHost } from "../support/git-http.js";
import {
  addCommits,
  git,
  type MadeCommit,
  makeRepository,
  tag,
  withFolder,
} from "../support/git-repository.js";
import { cloneSetup, keptRepo } from "../support/kept-repo.js";

const shell = createShell({ redact: (text) => text });
const port = createGit(shell);
const signal = new AbortController().signal;
const MB = 1024 * 1024;
const NOW = new Date("2026-06-01T12:00:00Z");
const EVER = new Date(0);
const LATER = new Date(NOW.getTime() + 1);
const GIT_ANSWER = "application/x-git-upload-pack-advertisement";
const isPack = (name: string) => name.endsWith(".pack");
/** Lists what is there, and asks nobody for what is not. */
const HELD_BLOBS = ["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectsize)"];
const MAILMAP = "Ada Lovelace <ada@example.org> <old@example.org>\n";

interface Scene {
  readonly host: GitHost;
  /** Of the bare repository that the host serves. */
  readonly served: string;
  readonly folder: string;
  readonly repo: SourceRepo & { id: string };
  cache(changes?: Partial<CloneCacheSetup>): ReturnType<typeof createCloneCache>;
}

async function withScene(commits: readonly MadeCommit[], test: (scene: Scene) => Promise<void>) {
  await withFolder(async (root) => {
    const [hosted, folder] = [join(root, "host"), join(root, "clones")];
    mkdirSync(hosted);
    allowFilters(hosted);
    const served = await makeRepository(join(hosted, "o", "r.git"), commits, { bare: true });
    await withGitHost(hosted, async (host) => {
      const setup = { ...cloneSetup(folder, host.origin), now: () => NOW };
      const cache = (changes = {}) => createCloneCache({ ...setup, ...changes });
      await test({ host, served, folder, repo: keptRepo(host.origin), cache });
    });
  });
}

const commit = (day: number, files: Record<string, string> = {}): MadeCommit => ({
  author: "ada <old@example.org>",
  at: `2026-01-0${day}T00:00:00Z`,
  files,
});

async function countCommits(at: RepoPlace): Promise<number> {
  const head = await port.head(at, signal);
  let count = 0;
  if (head === null) return 0;
  for await (const _ of port.commits(at, { head: head.commit }, signal)) count++;
  return count;
}

describe("a clone", () => {
  it("has history, tags and mailmap, and no content of any file", () =>
    withScene([commit(1, { "code.ts": "x".repeat(5_000), ".mailmap": MAILMAP })], async (scene) => {
      tag(scene.served, "v1", "2026-01-03T00:00:00Z");
      const { at } = await scene.cache().hold(scene.repo, { freshAfter: EVER }, signal);
      const head = await port.head(at, signal);
      expect(head).toEqual({ commit: git(scene.served, "rev-parse", "main"), branch: "main" });
      const authors: string[] = [];
      for await (const found of port.commits(at, { head: head?.commit ?? "" }, signal))
        authors.push(found.authorEmail);
      expect(authors).toEqual(["ada@example.org"]);
      expect(await port.tags(at, signal)).toHaveLength(1);
      const sizes = git(at.path, ...HELD_BLOBS).split("\n");
      expect(sizes.filter((line) => line.startsWith("blob"))).toEqual([`blob ${MAILMAP.length}`]);
    }));

  it("is fetched again only when it is older than needed, by one of all who ask at once", () =>
    withScene([commit(1)], async ({ host, served, cache, repo }) => {
      const clones = cache();
      const holdFrom = (freshAfter: Date) => clones.hold(repo, { freshAfter }, signal);
      await Promise.all([holdFrom(EVER), holdFrom(EVER), holdFrom(NOW)]);
      expect(host.requests.filter((request) => request.startsWith("GET"))).toHaveLength(1);
      const asked = host.requests.length;
      await addCommits(served, [commit(2)]);
      expect(await countCommits((await holdFrom(NOW)).at)).toBe(1);
      expect(host.requests).toHaveLength(asked);
      await expect(holdFrom(new Date(NOW.getTime() + 1))).resolves.toBeDefined();
      const { at } = await cache({ now: () => new Date(NOW.getTime() + 1) }).hold(
        repo,
        { freshAfter: new Date(NOW.getTime() + 1) },
        signal,
      );
      expect(await countCommits(at)).toBe(2);
    }));

  it("follows a history that was rewritten and a default branch that was renamed", () =>
    withScene([commit(1), commit(2)], async ({ served, cache, repo }) => {
      await cache().hold(repo, { freshAfter: EVER }, signal);
      git(served, "update-ref", "refs/heads/main", "main~1");
      git(served, "branch", "--quiet", "--move", "main", "trunk");
      const renamed = { ...repo, defaultBranch: "trunk" };
      const { at } = await cache().hold(renamed, { freshAfter: EVER }, signal);
      expect(await port.head(at, signal)).toMatchObject({ branch: "trunk" });
      expect(await countCommits(at)).toBe(1);
    }));

  it("of a repository without a commit is one", () =>
    withScene([], async ({ cache, repo }) => {
      const { at } = await cache().hold(repo, { freshAfter: EVER }, signal);
      expect(await port.head(at, signal)).toBeNull();
      expect(await port.tags(at, signal)).toEqual([]);
    }));

  it("that was damaged, or left half written by a killed git, is mended by the next fetch", () =>
    withScene([commit(1)], async ({ cache, repo, folder }) => {
      const { at, release } = await cache().hold(repo, { freshAfter: EVER }, signal);
      await release();
      writeFileSync(join(at.path, "refs", "heads", "main.lock"), "");
      const half = join(at.path, "objects", "pack", "tmp_pack_x");
      writeFileSync(half, "");
      await cache().hold(repo, { freshAfter: LATER }, signal);
      expect(existsSync(half)).toBe(false);
      const packs = join(at.path, "objects", "pack");
      for (const name of readdirSync(packs)) rmSync(join(packs, name), { force: true });
      await cache().hold(repo, { freshAfter: LATER }, signal);
      expect(await countCommits(at)).toBe(1);
      expect(readdirSync(folder).sort()).toEqual(["repo-r.git", "repo-r.json", "repo-r.readers"]);
    }));

  it("that somebody reads is not taken away by another's fetch that failed, nor by who forgets it", () =>
    withScene([commit(1)], async ({ served, cache, repo }) => {
      const held = await cache().hold(repo, { freshAfter: EVER }, signal);
      const tight = cache({
        limits: () => ({ cacheBytesMax: MB, repoBytesMax: 1, fetchTimeoutMs: 10_000 }),
      });
      await addCommits(served, [commit(2)]);
      await expect(tight.hold(repo, { freshAfter: LATER }, signal)).rejects.toMatchObject({
        code: "REPO_TOO_LARGE",
      });
      await cache().forget(repo.id);
      expect(await countCommits(held.at)).toBe(1);
      await held.release();
      await cache().forget(repo.id);
      expect(existsSync(held.at.path)).toBe(false);
    }));

  it("of which a power cut left empty files is fetched anew", () =>
    withScene([commit(1)], async ({ cache, repo, folder }) => {
      const { release } = await cache().hold(repo, { freshAfter: EVER }, signal);
      await release();
      writeFileSync(join(folder, `${repo.id}.json`), "");
      writeFileSync(join(folder, `${repo.id}.lock`), "");
      const longAgo = new Date(Date.now() - 3_600_000);
      utimesSync(join(folder, `${repo.id}.lock`), longAgo, longAgo);
      expect((await cache().stats()).repos).toBe(1);
      const { at } = await cache().hold(repo, { freshAfter: EVER }, signal);
      expect(await countCommits(at)).toBe(1);
    }));

  it("of many packs becomes one of one pack", () =>
    withScene([commit(1)], async ({ served, cache, repo }) => {
      const { at } = await cache().hold(repo, { freshAfter: EVER }, signal);
      await addCommits(served, [commit(2)]);
      await cache().hold(repo, { freshAfter: LATER }, signal);
      const call = { shell, gitDir: at.path, signal, timeoutMs: 20_000 };
      expect(await repackWhenMany(call, 2)).toBe(false);
      expect(await repackWhenMany(call, 1)).toBe(true);
      expect(readdirSync(join(at.path, "objects", "pack")).filter(isPack)).toHaveLength(1);
      expect(await countCommits(at)).toBe(2);
    }));
});

describe("what a fetch never does", () => {
  it("go anywhere but to a plain path on the one host", () =>
    withScene([commit(1)], async ({ host, cache, repo, folder }) => {
      const trap = join(folder, "..", "trapped");
      for (const cloneUrl of [
        `ext::sh -c touch% ${trap}`,
        `file://${folder}`,
        folder,
        `ssh://-oProxyCommand=touch ${trap}/o/r.git`,
        `--upload-pack=touch ${trap}`,
        "https://github.com/o/r.git",
        host.origin.replace("http:", "https:"),
        `${host.origin.replace("//", "//user:secret@")}/o/r.git`,
        `${host.origin}/o/r.git?service=x`,
        `${host.origin}/o/r.git%0a[core]`,
        `${host.origin}/../etc`,
      ])
        await expect(
          cache().hold({ ...repo, cloneUrl }, { freshAfter: EVER }, signal),
        ).rejects.toMatchObject({ kind: "data", code: "GIT_URL_REFUSED" });
      for (const defaultBranch of ["-x", "a:b", "a b", "a..b", "a\nb", "x.lock", ""])
        await expect(
          cache().hold({ ...repo, defaultBranch }, { freshAfter: EVER }, signal),
        ).rejects.toMatchObject({ kind: "data", code: "GIT_URL_REFUSED" });
      for (const origin of ["http://example.org", "ext::x", "file:///", "no host"])
        expect(() => cache({ origin })).toThrow(/as the host of clones/);
      expect(host.requests).toEqual([]);
      expect(existsSync(trap)).toBe(false);
    }));

  it("show its credential in an argument or in a file, or take it along to another place", () =>
    withScene([commit(1)], async ({ host, cache, repo, folder }) => {
      host.authorization = `Basic ${Buffer.from("x-access-token:t0ken").toString("base64")}`;
      const seen: string[] = [];
      const spy: Shell = {
        ...shell,
        run: (argv, options) => {
          seen.push(...argv);
          return shell.run(argv, options);
        },
      };
      const lend = (token: string) => async () => new SecretText(token);
      await cache({ shell: spy, credential: lend("t0ken") }).hold(
        repo,
        { freshAfter: EVER },
        signal,
      );
      const written = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
      for (const text of [...seen, ...written]) {
        expect(text).not.toContain("t0ken");
        expect(text).not.toContain(host.authorization.slice(6));
      }
      const wrong = cache({ credential: lend("stale") }).hold(repo, { freshAfter: LATER }, signal);
      await expect(wrong).rejects.toMatchObject({
        kind: "waiting",
        code: "GIT_FETCH_UNAUTHORIZED",
      });

      host.intercept = (request, response) => {
        response.writeHead(302, { location: `${host.origin}/other${request.url}` }).end();
        return true;
      };
      const moved = cache({ credential: lend("t0ken") }).hold(repo, { freshAfter: LATER }, signal);
      await expect(moved).rejects.toMatchObject({ kind: "transient", code: "GIT_FETCH_MOVED" });
      expect(host.requests.join()).not.toContain("/other");
    }));
});

describe("what the host answers", () => {
  it("is told apart: gone, limited, broken, and what may pass", () =>
    withScene([commit(1)], async ({ host, cache, repo }) => {
      const outcome = async (status: number, body = "") => {
        host.intercept = (_, response) => {
          response.writeHead(status, { "content-type": GIT_ANSWER }).end(body);
          return true;
        };
        return cache()
          .hold(repo, { freshAfter: EVER }, signal)
          .catch((error: Fault) => `${error.kind} ${error.code}`);
      };
      expect(await outcome(404)).toBe("data GIT_FETCH_GONE");
      expect(await outcome(403)).toBe("data GIT_FETCH_FORBIDDEN");
      expect(await outcome(429)).toBe("waiting GIT_FETCH_LIMITED");
      expect(await outcome(503)).toBe("transient GIT_FETCH_FAILED");
      expect(await outcome(200, "not a packet line")).toMatch(/^(data|transient) GIT_FETCH/);
    }));

  it("may not be larger than one clone may be", () =>
    withScene([commit(1)], async ({ served, cache, repo, folder }) => {
      // Commits do not shrink: a message of random text each.
      await addCommits(
        served,
        Array.from({ length: 200 }, () => ({
          ...commit(2),
          message: randomBytes(8_000).toString("base64"),
        })),
      );
      const limits = () => ({ cacheBytesMax: MB, repoBytesMax: MB / 2, fetchTimeoutMs: 20_000 });
      await expect(
        cache({ limits }).hold(repo, { freshAfter: EVER }, signal),
      ).rejects.toMatchObject({ kind: "data", code: "REPO_TOO_LARGE" });
      expect(readdirSync(folder)).toEqual([]);
    }));

  it("with all contents is taken from a small repository alone", () =>
    withScene([commit(1, { a: "text" })], async ({ host, cache, repo, served }) => {
      git(served, "config", "uploadpack.allowFilter", "false");
      const large = { ...repo, sizeKb: 1_000_000 };
      await expect(cache().hold(large, { freshAfter: EVER }, signal)).rejects.toMatchObject({
        kind: "data",
        code: "REPO_FILTER_UNSUPPORTED",
      });
      expect(await countCommits((await cache().hold(repo, { freshAfter: EVER }, signal)).at)).toBe(
        1,
      );
      expect(host.requests.length).toBeGreaterThan(0);
    }));
});

describe("the folder of clones", () => {
  it("loses the least recently used when it is full, and none that somebody reads", () =>
    withScene([commit(1)], async ({ host, served, cache, folder }) => {
      for (const name of ["a", "b", "c", "d"])
        git(served, "clone", "--quiet", "--bare", ".", join(served, "..", `${name}.git`));
      let minute = 0;
      const now = () => new Date(NOW.getTime() + minute++ * 60_000);
      const roomy = cache({ now });
      const held = await roomy.hold(keptRepo(host.origin, "a"), { freshAfter: EVER }, signal);
      for (const name of ["b", "c"])
        await (
          await roomy.hold(keptRepo(host.origin, name), { freshAfter: EVER }, signal)
        ).release();
      const { repos, bytes } = await roomy.stats();
      expect(repos).toBe(3);
      const limits = () => ({ cacheBytesMax: bytes, repoBytesMax: MB, fetchTimeoutMs: 20_000 });
      await cache({ now, limits }).hold(keptRepo(host.origin, "d"), { freshAfter: EVER }, signal);
      const clones = () => readdirSync(folder).filter((name) => name.endsWith(".git"));
      expect(clones()).toEqual(["repo-a.git", "repo-c.git", "repo-d.git"]);
      await held.release();
      await roomy.forget("repo-c");
      await roomy.forget("repo-c");
      expect(clones()).toEqual(["repo-a.git", "repo-d.git"]);
    }));
});

describe("the lock of a clone", () => {
  const processes = { keyOf: processKey, isGone };

  it("has one holder, and is taken over from a dead one, whose git is ended first", () =>
    withFolder(async (folder) => {
      const path = join(folder, "lock");
      const first = await tryLock(path, processes);
      expect(await tryLock(path, processes)).toBeNull();
      await first?.release();
      const orphan = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
      const pgid = orphan.pid ?? 0;
      const dead = processKey(process.pid)?.replace(/ \d+$/, " 1") ?? null;
      const child = { pgid, processKey: processKey(pgid) };
      writeFileSync(path, JSON.stringify({ id: "dead", key: dead, child }));
      const ended = once(orphan, "exit");
      const taken = await Promise.all([1, 2, 3].map(() => tryLock(path, processes)));
      expect(taken.filter((lock) => lock !== null)).toHaveLength(1);
      expect(await ended).toEqual([null, "SIGTERM"]);
      expect(readdirSync(folder)).toEqual(["lock"]);
    }));
});
