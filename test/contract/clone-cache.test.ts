/** Clones without file contents: fetched from a real `git http-backend`, kept within bounds, shared by processes. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CloneCacheSetup, createCloneCache } from "../../src/adapter/clone-cache.js";
import { createGit } from "../../src/adapter/git.js";
import { createShell } from "../../src/adapter/shell.js";
import { SecretText } from "../../src/base/secret-text.js";
import type { SourceRepo } from "../../src/job/source-port.js";
import { isGone, processKey } from "../../src/runtime/process-key.js";
import { type GitHost, withGitHost } from "../support/git-http.js";
import {
  addCommits,
  git,
  type MadeCommit,
  makeRepository,
  tag,
  withFolder,
} from "../support/git-repository.js";

const shell = createShell({ redact: (text) => text, keyOf: processKey });
const port = createGit(shell);
const signal = new AbortController().signal;
const MB = 1024 * 1024;
const NOW = new Date("2026-06-01T12:00:00Z");
const EVER = new Date(0);
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
    const allow =
      "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n[safe]\n\tdirectory = *\n";
    writeFileSync(join(hosted, "host.config"), allow);
    const served = await makeRepository(join(hosted, "o", "r.git"), commits, { bare: true });
    await withGitHost(hosted, async (host) => {
      const setup: CloneCacheSetup = {
        shell,
        folder,
        origin: host.origin,
        credential: async () => null,
        limits: () => ({ cacheBytesMax: 100 * MB, repoBytesMax: 20 * MB, fetchTimeoutMs: 20_000 }),
        processes: { keyOf: processKey, isGone },
        now: () => NOW,
      };
      const cache = (changes = {}) => createCloneCache({ ...setup, ...changes });
      await test({ host, served, folder, repo: sourceRepo(host), cache });
    });
  });
}

function sourceRepo(host: GitHost, name = "r"): SourceRepo & { id: string } {
  return {
    id: `repo-${name}`,
    host: new URL(host.origin).host,
    githubId: 1,
    owner: "o",
    name,
    cloneUrl: `${host.origin}/o/${name}.git`,
    defaultBranch: "main",
    isPrivate: true,
    isFork: false,
    isArchived: false,
    isDisabled: false,
    sizeKb: 1,
    pushedAt: null,
    updatedAt: NOW,
  };
}

const commit = (day: number, files: Record<string, string> = {}): MadeCommit => ({
  author: "ada <old@example.org>",
  at: `2026-01-0${day}T00:00:00Z`,
  files,
});

describe("a clone", () => {
  it("has history, tags and mailmap, and no content of any file", () =>
    withScene([commit(1, { "code.ts": "x".repeat(5_000), ".mailmap": MAILMAP })], async (scene) => {
      tag(scene.served, "v1", "2026-01-03T00:00:00Z");
      const held = await scene.cache().hold(scene.repo, { freshAfter: EVER }, signal);
      const head = await port.head(held.at, signal);
      expect(head).toEqual({ commit: git(scene.served, "rev-parse", "main"), branch: "main" });
      const authors: string[] = [];
      for await (const { authorEmail } of port.commits(
        held.at,
        { head: head?.commit ?? "" },
        signal,
      ))
        authors.push(authorEmail);
      expect(authors).toEqual(["ada@example.org"]);
      expect(await port.tags(held.at, signal)).toHaveLength(1);
      const sizes = git(held.at.path, ...HELD_BLOBS).split("\n");
      expect(sizes.filter((line) => line.startsWith("blob"))).toEqual([`blob ${MAILMAP.length}`]);
      await held.release();
    }));
});
