/** The Git port, over the real program and real repositories. */
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGit } from "../../src/adapter/git.js";
import { createShell } from "../../src/adapter/shell.js";
import type { CommitRecord } from "../../src/job/port.js";
import { addCommits, git, makeRepository, tag, withFolder } from "../support/git-repository.js";

const port = createGit(createShell({ redact: (text) => text }));
const signal = new AbortController().signal;
const ADA = "Ada Lovelace <ada@example.org>";
const ONE = [{ author: ADA, at: "2026-01-01T00:00:00Z" }];

/** The folder above was indexed. */
const at = (path: string) => ({ path, root: dirname(path) });

async function allCommits(path: string, since?: Date): Promise<CommitRecord[]> {
  const head = await port.head(at(path), signal);
  const range = { head: head?.commit ?? "", ...(since ? { since } : {}) };
  const found: CommitRecord[] = [];
  for await (const commit of port.commits(at(path), range, signal)) found.push(commit);
  return found;
}

async function firstCommit(path: string, head: string, until = signal) {
  for await (const commit of port.commits(at(path), { head }, until)) return commit;
  return null;
}

describe("listing repositories", () => {
  it("finds direct children, bare ones and worktrees, and follows no link", () =>
    withFolder(async (folder) => {
      await makeRepository(join(folder, "checkout"), ONE);
      await makeRepository(join(folder, "bare.git"), ONE, { bare: true });
      git(join(folder, "checkout"), "worktree", "add", "--quiet", "-b", "side", "../tree");
      await makeRepository(join(folder, "deep", "below"), ONE);
      mkdirSync(join(folder, "plain"));
      symlinkSync(join(folder, "checkout"), join(folder, "link"));
      const found = await port.listRepositories(folder, signal);
      expect(found.map(({ name }) => name)).toEqual(["bare", "checkout", "tree"]);
    }));

  it("finds the folder itself when it is a repository", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), ONE);
      expect(await port.listRepositories(path, signal)).toEqual([
        { path, root: path, name: "r", remote: null },
      ]);
    }));

  it("tells the remote without user and password", () =>
    withFolder(async (folder) => {
      const remote = "https://me:secret@example.org/o/n.git";
      await makeRepository(join(folder, "a"), [], { remote });
      const [found] = await port.listRepositories(folder, signal);
      expect(found?.remote).toBe("https://example.org/o/n.git");
    }));

  it("refuses a path that does not exist, and a file, in one sentence", () =>
    withFolder(async (folder) => {
      writeFileSync(join(folder, "file"), "");
      for (const path of [join(folder, "gone"), join(folder, "file")])
        await expect(port.listRepositories(path, signal)).rejects.toMatchObject({
          kind: "data",
          code: "FOLDER_UNREADABLE",
        });
    }));

  it("does not climb into a repository above", () =>
    withFolder(async (folder) => {
      await makeRepository(folder, ONE);
      const sub = join(folder, "sub");
      mkdirSync(join(sub, "inner"), { recursive: true });
      expect(await port.listRepositories(sub, signal)).toEqual([]);
      await expect(port.head(at(sub), signal)).rejects.toMatchObject({
        kind: "data",
        code: "GIT_REPOSITORY_MISSING",
      });
    }));
});

describe("head", () => {
  it("is null without commits, names commit and branch, and no branch when detached", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), []);
      expect(await port.head(at(path), signal)).toBeNull();
      await addCommits(path, ONE);
      const commit = git(path, "rev-parse", "main");
      expect(await port.head(at(path), signal)).toEqual({ commit, branch: "main" });
      git(path, "checkout", "--quiet", "--detach", "main");
      expect(await port.head(at(path), signal)).toEqual({ commit, branch: null });
    }));

  it("of a broken repository is a data fault that says what to do", () =>
    withFolder(async (folder) => {
      mkdirSync(join(folder, "r", ".git"), { recursive: true });
      await expect(port.head(at(join(folder, "r")), signal)).rejects.toMatchObject({
        kind: "data",
        code: "GIT_REPOSITORY_UNREADABLE",
        hint: expect.stringContaining("git fsck"),
      });
    }));
});

describe("commits", () => {
  it("come newest first with their co-authors, and may begin at a time", () =>
    withFolder(async (folder) => {
      const message =
        "second\n\nCo-authored-by: Cy Twombly <cy@example.org>\nCo-authored-by: nobody";
      const bob = { author: "Bob <bob@example.org>", at: "2026-01-02T00:00:00Z", message };
      const path = await makeRepository(join(folder, "r"), [...ONE, bob]);
      expect(await allCommits(path)).toEqual([
        {
          hash: git(path, "rev-parse", "main"),
          authorName: "Bob",
          authorEmail: "bob@example.org",
          authoredAt: new Date(bob.at),
          isMerge: false,
          coAuthors: [{ name: "Cy Twombly", email: "cy@example.org" }],
        },
        expect.objectContaining({ authorName: "Ada Lovelace", coAuthors: [] }),
      ]);
      const recent = await allCommits(path, new Date("2026-01-01T12:00:00Z"));
      expect(recent.map(({ authorName }) => authorName)).toEqual(["Bob"]);
    }));

  it("honour the mailmap of the commit, not one that lies in the checkout", () =>
    withFolder(async (folder) => {
      const files = { ".mailmap": "Ada Lovelace <ada@example.org> <old@example.org>\n" };
      const path = await makeRepository(join(folder, "r"), [
        { author: "ada <old@example.org>", at: "2026-01-01T00:00:00Z", files },
      ]);
      writeFileSync(join(path, ".mailmap"), "Someone Else <x@example.org> <old@example.org>\n");
      expect(await allCommits(path)).toMatchObject([
        { authorName: "Ada Lovelace", authorEmail: "ada@example.org" },
      ]);
    }));

  it("survive separators, quotes, control characters and bytes that are not UTF-8 in names", () =>
    withFolder(async (folder) => {
      const names = [`a"b'c`, "tab\tand\x1funit\x1eseparators", "名前", "x".repeat(5_000)];
      const latin = Buffer.concat([Buffer.from([0x4a, 0xf8]), Buffer.from("rn <j@example.org>")]);
      const path = await makeRepository(join(folder, "r"), [
        ...names.map((name) => ({ author: `${name} <a@example.org>`, at: "2026-01-01T00:00:00Z" })),
        { author: latin, at: "2026-01-02T00:00:00Z" },
      ]);
      const found = await allCommits(path);
      expect(found).toHaveLength(5);
      expect(found[0]).toMatchObject({ authorEmail: "j@example.org" });
      expect(found[0]?.authorName).toMatch(/^J.+rn$/u);
      expect(found.map(({ authorName }) => authorName)).toEqual(expect.arrayContaining(names));
    }));

  it("of a repository with lost objects are a data fault, not an endless retry", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), ONE);
      const objects = join(path, ".git", "objects");
      rmSync(objects, { recursive: true });
      mkdirSync(objects);
      await expect(allCommits(path)).rejects.toMatchObject({
        kind: "data",
        code: "GIT_REPOSITORY_UNREADABLE",
      });
    }));

  it("end, with the program, when the reader stops or the signal aborts", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(
        join(folder, "r"),
        Array.from({ length: 500 }, () => ONE[0]!),
      );
      const head = git(path, "rev-parse", "main");
      expect(await firstCommit(path, head)).toMatchObject({ hash: head });
      await expect(firstCommit(path, head, AbortSignal.abort())).rejects.toMatchObject({
        kind: "transient",
      });
    }));

  it("refuse a head that is no commit hash, so that none can be an option", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), []);
      await expect(firstCommit(path, "--all")).rejects.toMatchObject({
        code: "GIT_COMMIT_INVALID",
      });
    }));
});

describe("hostile configuration", () => {
  it("starts no program, hook or fetch", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), ONE);
      const trap = join(folder, "trapped");
      const program = `touch ${trap}; false`;
      for (const key of ["fsmonitor", "pager", "sshCommand", "editor", "askPass"])
        git(path, "config", `core.${key}`, program);
      git(path, "config", "gpg.program", program);
      git(path, "config", "diff.external", program);
      git(path, "config", "log.showSignature", "true");
      git(path, "config", "core.worktree", "/");
      expect(await allCommits(path)).toHaveLength(1);
      expect(await port.tags(at(path), signal)).toEqual([]);
      expect(await port.listRepositories(folder, signal)).toHaveLength(1);
      expect(existsSync(trap)).toBe(false);
    }));
});

describe("tags", () => {
  it("come newest first with their dates", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "r"), ONE);
      tag(path, "v1", "2026-01-02T00:00:00Z");
      tag(path, "v2", "2026-01-03T00:00:00Z");
      git(path, "tag", "light", "main");
      expect(await port.tags(at(path), signal)).toEqual([
        { name: "v2", at: new Date("2026-01-03T00:00:00Z") },
        { name: "v1", at: new Date("2026-01-02T00:00:00Z") },
        { name: "light", at: new Date("2026-01-01T00:00:00Z") },
      ]);
    }));
});
