/** Files of a commit come as they were committed, whatever the checkout holds by now. */
import { appendFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readCommitFiles } from "../../src/adapter/git-archive.js";
import { createShell } from "../../src/adapter/shell.js";
import { git, makeRepository, withFolder } from "../support/git-repository.js";

const shell = createShell({ redact: (text) => text });
const read = (repository: string, revision: string, paths: readonly string[]) =>
  readCommitFiles(shell, repository, { revision, paths, signal: AbortSignal.timeout(30_000) });

const AUTHOR = { author: "Ann <ann@example.com>", at: "2026-01-01T00:00:00Z" };
/** Longer than the header of a tar archive has room for. */
const LONG = `policies/${"x".repeat(140)}/${"y".repeat(140)}.yaml`;
const FILES = {
  "policies/a.yaml": "a: ü\r\n",
  "policies/deep/b.yaml": "",
  [LONG]: "long: 1\n",
  "other.txt": "not asked for\n",
};

describe("the files of a commit", () => {
  test("are those of the asked paths, of any length, and not what lies in the checkout", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "repository"), [{ ...AUTHOR, files: FILES }]);
      git(path, "checkout", "--quiet", "--force", "main");
      appendFileSync(join(path, "policies/a.yaml"), "b: 2\n");
      const { commit, files } = await read(path, "HEAD", ["policies", "catalogue.yaml"]);
      expect(commit).toBe(git(path, "rev-parse", "HEAD"));
      expect(Object.fromEntries(files.map(({ path, text }) => [path, text]))).toEqual({
        "policies/a.yaml": "a: ü\r\n",
        "policies/deep/b.yaml": "",
        [LONG]: "long: 1\n",
      });
      expect((await read(path, "HEAD", ["nothing"])).files).toEqual([]);
    }));

  test("leave links out: they may lead anywhere", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "repository"), [{ ...AUTHOR, files: FILES }]);
      git(path, "checkout", "--quiet", "--force", "main");
      symlinkSync("/etc/passwd", join(path, "policies/link.yaml"));
      git(path, "add", "policies/link.yaml");
      git(path, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-qm", "link");
      const { files } = await read(path, "main", ["policies"]);
      expect(files.map((file) => file.path)).not.toContain("policies/link.yaml");
      expect(files).toHaveLength(3);
    }));

  test("are refused of what is no commit, or where there is no repository", () =>
    withFolder(async (folder) => {
      const path = await makeRepository(join(folder, "repository"), [{ ...AUTHOR, files: FILES }]);
      for (const revision of ["mian", "--all", "HEAD:policies", "0".repeat(40), "a b"])
        await expect(read(path, revision, ["policies"])).rejects.toMatchObject({
          code: "GIT_REVISION_UNKNOWN",
          message: `this repository has no commit "${revision}"`,
        });
      await expect(read(folder, "main", ["policies"])).rejects.toMatchObject({
        code: "GIT_REVISION_UNKNOWN",
      });
    }));
});
