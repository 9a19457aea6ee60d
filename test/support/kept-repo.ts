/** A repository that a loopback host keeps, and how clones of it are made in tests. */
import type { CloneCacheSetup } from "../../src/adapter/clone-cache.js";
import { createShell } from "../../src/adapter/shell.js";
import type { SourceRepo } from "../../src/job/source-port.js";
import { isGone, processKey } from "../../src/runtime/process-key.js";

export function cloneSetup(folder: string, origin: string): CloneCacheSetup {
  return {
    shell: createShell({ redact: (text) => text, keyOf: processKey }),
    folder,
    origin,
    credential: async () => null,
    limits: () => ({ cacheBytesMax: 1e8, repoBytesMax: 2e7, fetchTimeoutMs: 60_000 }),
    processes: { keyOf: processKey, isGone },
    now: () => new Date(),
  };
}

/** `<origin>/o/<name>.git`, with the id `repo-<name>`. */
export function keptRepo(origin: string, name = "r"): SourceRepo & { readonly id: string } {
  return {
    id: `repo-${name}`,
    host: new URL(origin).host,
    githubId: 1,
    owner: "o",
    name,
    cloneUrl: `${origin}/o/${name}.git`,
    defaultBranch: "main",
    isPrivate: true,
    isFork: false,
    isArchived: false,
    isDisabled: false,
    sizeKb: 1,
    pushedAt: null,
    updatedAt: new Date(0),
  };
}
