/** kill -9 in the middle of a fetch: the git that is left behind is ended, and the next job has the whole clone. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { createCloneCache } from "../../src/adapter/clone-cache.js";
import { createGit } from "../../src/adapter/git.js";
import { createShell } from "../../src/adapter/shell.js";
import { processKey } from "../../src/runtime/process-key.js";
import type { FetchPlace } from "../support/fetch-process.js";
import { allowFilters, withGitHost } from "../support/git-http.js";
import { git, makeRepository, withFolder } from "../support/git-repository.js";
import { cloneSetup, keptRepo } from "../support/kept-repo.js";
import { until } from "../support/until.js";

const FETCHER = fileURLToPath(new URL("../support/fetch-process.ts", import.meta.url));
const ONE = [{ author: "Ada <ada@example.org>", at: "2026-01-01T00:00:00Z" }];
const signal = new AbortController().signal;

function startFetcher(place: FetchPlace) {
  return spawn(process.execPath, ["--import", "tsx", FETCHER], {
    env: { ...process.env, TEST_FETCH_PLACE: JSON.stringify(place) },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

it("ends the git of the dead, clears what it left half written, and goes on", () =>
  withFolder(async (root) => {
    const [hosted, folder] = [join(root, "host"), join(root, "clones")];
    mkdirSync(hosted);
    allowFilters(hosted);
    const served = await makeRepository(join(hosted, "o", "r.git"), ONE, { bare: true });
    await withGitHost(hosted, async (host) => {
      // The pack never comes, and the connection stays.
      const isWaiting = new Promise<void>((resolve) => {
        let posts = 0;
        host.intercept = ({ method }) => {
          if (method !== "POST" || ++posts < 2) return false;
          resolve();
          return true;
        };
      });
      const fetcher = startFetcher({ folder, origin: host.origin });
      await isWaiting;
      const ended = once(fetcher, "exit");
      fetcher.kill("SIGKILL");
      await ended;
      const lock = JSON.parse(readFileSync(join(folder, "repo-r.lock"), "utf8"));
      expect(processKey(lock.child.pgid)).toBe(lock.child.processKey);
      const half = join(folder, "repo-r.git", "objects", "pack", "tmp_pack_x");
      writeFileSync(half, "PACK");
      writeFileSync(join(folder, "repo-r.git", "refs", "heads", "main.lock"), "");

      host.intercept = null;
      const clones = createCloneCache(cloneSetup(folder, host.origin));
      const { at } = await clones.hold(keptRepo(host.origin), { freshAfter: new Date(0) }, signal);
      const head = await createGit(createShell({ redact: (text) => text })).head(at, signal);
      expect(head?.commit).toBe(git(served, "rev-parse", "main"));
      expect(existsSync(half)).toBe(false);
      await until(async () => processKey(lock.child.pgid) === null, "the git of the dead to end");
    });
  }));
