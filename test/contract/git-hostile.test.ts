/**
 * Repositories that want to harm their reader (bar "hostile repositories"): nothing of them is executed, nothing
 * outside of the indexed folder is read, and each read ends within its time.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGit } from "../../src/adapter/git.js";
import { createShell } from "../../src/adapter/shell.js";
import type { CommitRecord } from "../../src/job/port.js";
import { git, makeRepository, withFolder } from "../support/git-repository.js";
import {
  objectFile,
  plantCommit,
  plantHooks,
  plantPipe,
  plantPrograms,
  type RawCommit,
} from "../support/hostile-repository.js";

const port = createGit(createShell({ redact: (text) => text }));
const signal = new AbortController().signal;
const ADA = "Ada <ada@example.org>";
const ONE = [{ author: ADA, at: "2026-01-01T00:00:00Z" }];
const TIME = "1767225600 +0000";
const MILLION = 1_000_000;

async function readAll(path: string, root = dirname(path)): Promise<CommitRecord[]> {
  const at = { path, root };
  const head = await port.head(at, signal);
  const found: CommitRecord[] = [];
  if (head === null) return found;
  for await (const commit of port.commits(at, { head: head.commit }, signal)) found.push(commit);
  await port.tags(at, signal);
  return found;
}

/** What reading `path` is refused with, or how much was read. A git that waits for ever would be ended: GIT_STOPPED. */
function refusal(path: string, root?: string): Promise<string> {
  return readAll(path, root).then(
    (commits) => `read ${commits.length} commits`,
    (error: { kind: string; code: string }) => `${error.kind} ${error.code}`,
  );
}

/** One commit on top of the other. Returns what each is called, by its hash. */
function plantChain(gitDir: string, commits: Readonly<Record<string, RawCommit>>) {
  const names = new Map<string, string>();
  let parents: string[] = [];
  for (const [name, commit] of Object.entries(commits)) {
    parents = [plantCommit(gitDir, { parents, ...commit })];
    names.set(parents[0] ?? "", name);
  }
  return names;
}

/** Lends a folder with `inside/r`, a repository, and `outside/secret`, another; `inside` was indexed. */
async function withTwo(test: (path: string, secret: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const path = await makeRepository(join(folder, "inside", "r"), ONE);
    const secret = await makeRepository(join(folder, "outside", "secret"), [
      { author: "Secret <secret@example.org>", at: "2026-01-01T00:00:00Z" },
    ]);
    await test(path, secret);
  });
}

describe("nothing of a foreign repository is executed", () => {
  it("no hook, and no program that its configuration names", () =>
    withTwo(async (path) => {
      const gitDir = join(path, ".git");
      const trap = join(path, "trapped");
      plantHooks(gitDir, trap);
      plantPrograms(gitDir, trap);
      writeFileSync(join(path, ".gitattributes"), "* filter=x diff=x\n");
      writeFileSync(
        join(path, ".gitmodules"),
        `[submodule "x"]\n\turl = ext::sh -c touch% ${trap}\n`,
      );
      expect(await readAll(path)).toHaveLength(1);
      expect(await port.listRepositories(dirname(path), signal)).toHaveLength(1);
      expect(existsSync(trap)).toBe(false);
    }));

  it("what a configuration includes is not even opened: no pipe, no endless device, nothing that is missing", () =>
    withTwo(async (path) => {
      const gitDir = join(path, ".git");
      plantPipe(join(gitDir, "pipe"));
      const includes = ["pipe", "/dev/zero", "missing", "/etc/shadow", "config"];
      const text = includes.map((name) => `[include]\n\tpath = ${name}\n`).join("");
      writeFileSync(join(gitDir, "config"), `${text}[extensions]\n\tworktreeConfig = true\n`);
      writeFileSync(join(gitDir, "config.worktree"), "[include]\n\tpath = pipe\n");
      expect(await refusal(path)).toBe("read 1 commits");
      expect(await port.listRepositories(dirname(path), signal)).toMatchObject([{ remote: null }]);
    }));

  it("grafts, replacements and alternates that lead in a circle change nothing", () =>
    withTwo(async (path) => {
      const gitDir = join(path, ".git");
      const head = git(path, "rev-parse", "main");
      mkdirSync(join(gitDir, "refs", "replace"));
      writeFileSync(join(gitDir, "refs", "replace", head), `${"0".repeat(39)}1\n`);
      writeFileSync(join(gitDir, "info", "grafts"), `${head} ${head}\n`);
      writeFileSync(join(gitDir, "objects", "info", "alternates"), `${join(gitDir, "objects")}\n`);
      expect(await refusal(path)).toBe("read 1 commits");
    }));
});

describe("nothing leads out of the indexed folder", () => {
  const OUTSIDE = "data GIT_OUTSIDE_ROOT";
  const UNREADABLE = "data GIT_REPOSITORY_UNREADABLE";

  it("neither .git as a file or a link, nor a worktree of another folder", () =>
    withTwo(async (path, secret) => {
      rmSync(join(path, ".git"), { recursive: true });
      symlinkSync(join(secret, ".git"), join(path, ".git"));
      expect(await refusal(path)).toBe(OUTSIDE);
      rmSync(join(path, ".git"));
      writeFileSync(join(path, ".git"), `gitdir: ${join(secret, ".git")}\n`);
      expect(await refusal(path)).toBe(OUTSIDE);
      rmSync(path, { recursive: true });
      git(secret, "worktree", "add", "--quiet", "-b", "side", path);
      expect(await refusal(path)).toBe(OUTSIDE);
      // Where both were indexed, the same worktree is read.
      expect(await refusal(path, dirname(dirname(path)))).toBe("read 1 commits");
    }));

  it("neither a commondir, nor objects, packs, refs or single files that are links", () =>
    withTwo(async (path, secret) => {
      const [mine, theirs] = [join(path, ".git"), join(secret, ".git")];
      const head = git(secret, "rev-parse", "main");
      git(secret, "repack", "-adq");
      const swap = async (name: string, target = join(theirs, name)) => {
        renameSync(join(mine, name), join(mine, "kept"));
        symlinkSync(target, join(mine, name));
        const outcome = await refusal(path);
        rmSync(join(mine, name));
        renameSync(join(mine, "kept"), join(mine, name));
        return outcome;
      };
      writeFileSync(join(mine, "commondir"), `${theirs}\n`);
      expect(await refusal(path)).toBe(OUTSIDE);
      rmSync(join(mine, "commondir"));
      expect(await swap("objects")).toBe(OUTSIDE);
      expect(await swap("objects/pack")).toBe(UNREADABLE);
      expect(await swap("objects", join(mine, "objects"))).toBe(UNREADABLE);
      expect(await swap("refs/heads")).toBe(OUTSIDE);
      expect(await swap("refs/heads/main")).toBe(OUTSIDE);
      expect(await swap("refs/tags")).toBe(OUTSIDE);
      expect(await swap("HEAD")).toBe(UNREADABLE);
      const [pack] = readdirSync(join(theirs, "objects", "pack")).filter((one) =>
        one.endsWith(".pack"),
      );
      for (const name of [pack ?? "", pack?.replace(/pack$/, "idx") ?? ""])
        symlinkSync(join(theirs, "objects", "pack", name), join(mine, "objects", "pack", name));
      writeFileSync(join(mine, "refs", "heads", "main"), `${head}\n`);
      expect(await refusal(path)).toBe(UNREADABLE);
    }));

  it("no alternates, however they are written", () =>
    withTwo(async (path, secret) => {
      const mine = join(path, ".git");
      const theirs = join(secret, ".git", "objects");
      writeFileSync(join(mine, "refs", "heads", "main"), `${git(secret, "rev-parse", "main")}\n`);
      const file = join(mine, "objects", "info", "alternates");
      const middle = await makeRepository(join(dirname(path), "middle"), []);
      const between = join(middle, ".git", "objects");
      writeFileSync(join(between, "info", "alternates"), `${theirs}\n`);
      for (const line of [
        theirs,
        `# x\n${theirs}`,
        "../../../../outside/secret/.git/objects",
        between,
      ]) {
        writeFileSync(file, `${line}\n`);
        expect(await refusal(path)).toBe(OUTSIDE);
      }
      writeFileSync(file, `"${theirs}"\n`);
      expect(await refusal(path)).toBe(UNREADABLE);
      rmSync(file);
      plantPipe(file);
      expect(await refusal(path)).toBe(UNREADABLE);
    }));

  it("and a branch that is not born yet may be called like a folder of others", () =>
    withTwo(async (path) => {
      git(path, "branch", "--quiet", "topic/one", "main");
      writeFileSync(join(path, ".git", "HEAD"), "ref: refs/heads/topic\n");
      expect(await refusal(path)).toBe("read 0 commits");
    }));

  it("no branch that is called like a way out", () =>
    withTwo(async (path, secret) => {
      for (const ref of [
        "refs/heads/../../../../../outside/secret/.git/refs/heads/main",
        "../../x",
        "-x",
      ]) {
        writeFileSync(join(path, ".git", "HEAD"), `ref: ${ref}\n`);
        expect(await refusal(path)).toMatch(/^data GIT_REPOSITORY_UNREADABLE|^read 0 commits/);
      }
      expect(existsSync(join(secret, ".git", "HEAD"))).toBe(true);
    }));
});

describe("each read ends, within its memory", () => {
  it("also where a file is a pipe", () =>
    withTwo(async (path) => {
      const gitDir = join(path, ".git");
      const oid = git(path, "rev-parse", "main");
      for (const name of [
        "HEAD",
        "packed-refs",
        "shallow",
        "config",
        "commondir",
        "refs/tags/v1",
      ]) {
        const file = join(gitDir, name);
        if (existsSync(file)) renameSync(file, join(gitDir, "kept"));
        plantPipe(file);
        expect(`${name}: ${await refusal(path)}`).toBe(`${name}: data GIT_REPOSITORY_UNREADABLE`);
        rmSync(file);
        if (existsSync(join(gitDir, "kept"))) renameSync(join(gitDir, "kept"), file);
      }
      const object = objectFile(gitDir, oid);
      rmSync(object);
      plantPipe(object);
      expect(await refusal(path)).toBe("data GIT_REPOSITORY_UNREADABLE");
    }));

  it("over names of megabytes, thousands of parents and trailers, and no author at all", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), []);
      const commits = plantChain(join(path, ".git"), {
        name: { author: `${"n".repeat(MILLION)} <a@example.org> ${TIME}` },
        mail: { author: `A <${"m".repeat(MILLION)}@example.org> ${TIME}` },
        trailers: { message: `x\n\n${"Co-authored-by: B <b@example.org>\n".repeat(50_000)}` },
        nobody: { author: "" },
        bytes: { author: Buffer.from([0xff, 0xfe, 0x3c, 0x3e, 0x00, 0x0d]) },
      });
      // Last: a merge of the one before with itself, twenty thousand times.
      const tip = [...commits.keys()].at(-1) ?? "";
      plantCommit(join(path, ".git"), { parents: Array.from({ length: 20_000 }, () => tip) });
      const [merge, ...others] = await readAll(path);
      expect(merge).toMatchObject({ isMerge: true, authorEmail: "n@example.org" });
      const read = Object.fromEntries(others.map((found) => [commits.get(found.hash), found]));
      expect(Object.keys(read).sort()).toEqual(["bytes", "mail", "name", "nobody", "trailers"]);
      expect(read.name).toMatchObject({ authorEmail: "a@example.org", isMerge: false });
      expect(read.name?.authorName.length).toBeLessThanOrEqual(10_000);
      expect(read.mail?.authorEmail.length).toBeLessThanOrEqual(10_000);
      expect(read.trailers?.coAuthors).toHaveLength(100);
      expect(read.nobody).toMatchObject({ authorName: "", authorEmail: "" });
    }));

  it("with a valid date, whatever was written as one", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), []);
      const written = ["9999999999", "99999999999999999999", "-62135596800", "0", "soon"];
      const commits = plantChain(
        join(path, ".git"),
        Object.fromEntries(
          written.map((date) => [`at ${date}`, { author: `A <a@example.org> ${date} +0000` }]),
        ),
      );
      const found = await readAll(path);
      const read = new Map(found.map(({ hash, authoredAt }) => [commits.get(hash), authoredAt]));
      expect(read.get("at 9999999999")?.toISOString()).toBe("2100-01-01T00:00:00.000Z");
      expect(read.get("at -62135596800")?.toISOString()).toBe("1970-01-01T00:00:00.000Z");
      for (const date of written)
        expect(read.get(`at ${date}`)?.toISOString()).toMatch(/^(1970|2100)-01-01T00:00:00\.000Z$/);
    }));

  it("without a mailmap that is too large, and with one that is damaged", () =>
    withFolder(async (folder) => {
      const line = "New <new@example.org> <ada@example.org>\n";
      const mailmap = line.repeat(Math.ceil((5 * 1024 * 1024) / line.length));
      const path = await makeRepository(join(folder, "r"), [
        { ...ONE[0]!, author: ADA, files: { ".mailmap": mailmap } },
      ]);
      const at = { path, root: folder };
      const head = git(path, "rev-parse", "main");
      expect(await port.mailmap(at, head, signal)).toBe("too-large");
      expect(await readAll(path)).toMatchObject([{ authorEmail: "ada@example.org" }]);
      const odd = await makeRepository(join(folder, "odd"), [
        { ...ONE[0]!, author: ADA, files: { ".mailmap": "<<<\0>> <\n\xff".repeat(1_000) } },
      ]);
      expect(await readAll(odd)).toHaveLength(1);
    }));

  it("names the object of a mailmap, and none where it is a folder or nothing", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), [
        { ...ONE[0]!, files: { ".mailmap/x": "no file" } },
        { ...ONE[0]!, files: { ".mailmap": "a text" } },
      ]);
      const at = { path, root: folder };
      const head = git(path, "rev-parse", "main");
      expect(await port.mailmap(at, git(path, "rev-parse", "main~1"), signal)).toBe("none");
      expect(await port.mailmap(at, head, signal)).toEqual({
        oid: git(path, "rev-parse", "main:.mailmap"),
      });
      expect(await port.mailmap(at, "0".repeat(40), signal)).toBe("none");
    }));

  it("says of a format that it does not know that it does not know it, and reads names by sha256", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), ONE);
      writeFileSync(
        join(path, ".git", "config"),
        "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n",
      );
      expect(await refusal(path)).toBe("data GIT_FORMAT_UNKNOWN");
      const long = join(folder, "long");
      execFileSync("git", [
        "init",
        "--quiet",
        "--object-format=sha256",
        "--initial-branch=main",
        long,
      ]);
      git(
        long,
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@b.c",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "x",
      );
      const [found] = await readAll(long);
      expect(found?.hash).toHaveLength(64);
      expect(found?.isMerge).toBe(false);
    }));
});

it("nothing is left behind, and nothing of the repository is deleted with the view", () =>
  withTwo(async (path) => {
    const views = join(path, "..", "..", "views");
    const own = createGit(createShell({ redact: (text) => text }), { views });
    const old = join(views, "algobrain-view-old");
    mkdirSync(old, { recursive: true });
    execFileSync("touch", ["-d", "2 hours ago", old]);
    const at = { path, root: dirname(path) };
    const head = await own.head(at, signal);
    for await (const commit of own.commits(at, { head: head?.commit ?? "" }, signal))
      expect(commit.hash).toBe(head?.commit);
    expect(readdirSync(views)).toEqual([]);
    expect(git(path, "fsck", "--full")).toBe("");
    expect(existsSync(objectFile(join(path, ".git"), head?.commit ?? ""))).toBe(true);
  }));
