/** index (HB-wrk-02): the repositories of a folder of this machine, or of an organisation on GitHub. */
import { fault } from "../../base/fault.js";
import type { Cache, Git, JobHandler } from "../../job/port.js";
import type { RepoStore, SourceHost } from "../../job/source-port.js";
import type { WorkloadPolicy } from "../../policy/workload.js";
import type { Database } from "../../store/database.js";
import type { IndexPayload } from "../payloads.js";
import { indexFolder } from "./index-folder.js";
import { indexOrganisation } from "./index-organisation.js";

interface IndexDeps {
  readonly db: Database;
  readonly git: Git;
  readonly cache: Cache;
  readonly policy: () => WorkloadPolicy;
  /** Null: no access to GitHub is configured. */
  readonly source: SourceHost | null;
  readonly clones: RepoStore | null;
}

export function createIndexHandler(deps: IndexDeps): JobHandler {
  return {
    kind: "index",
    run: async (context) => {
      const { path, org_name, full } = context.job.payload as IndexPayload;
      if (path !== undefined) return indexFolder(deps, path, context);
      const owner = org_name ?? "";
      const source = sourceOf(deps, owner);
      return indexOrganisation({ ...deps, source }, { owner, full: full ?? false }, context);
    },
  };
}

function sourceOf({ source }: IndexDeps, owner: string): SourceHost {
  if (source !== null) return source;
  throw fault.refused(
    "GITHUB_NOT_CONFIGURED",
    `cannot index the organisation ${owner}: no access to GitHub is configured`,
    { hint: 'index a folder of clones instead: {"path": "/srv/repositories"}' },
  );
}
