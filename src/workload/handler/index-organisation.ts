/**
 * index of an organisation or user on GitHub (HB-wrk-02): a row for each of its repositories, and jobs for the
 * people and the score of those that were pushed to. What a complete listing does not have is asked for by its id:
 * only what GitHub says is gone is archived. Running it again reads unchanged pages for nothing and writes nothing.
 */
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import { followOwner } from "../../store/followed-owners.js";
import { listUnlisted, type StoredSource } from "../../store/repo-sources.js";
import { readListing } from "../read-listing.js";
import { type RecordCounts, recordRepos } from "../record-repos.js";
import { type RefreshDeps, refreshSource } from "../refresh-source.js";

/**
 * A credential that lost its right to private repositories sees them as gone (404). When more than this share of an
 * owner's repositories vanishes at once, that is the likelier reason, and none is archived.
 */
const VANISHED_SHARE_MAX = 0.5;
/** Below so many a share says nothing. */
const VANISHED_MIN = 10;
/** Each costs a request; what is left over is asked for the next time. */
const VANISHED_ASKED_MAX = 500;
/** A few, so that a move of many to another owner is seen in the end. */
const DOUBTED_ASKED_MAX = 20;

export async function indexOrganisation(
  deps: RefreshDeps,
  ask: { readonly owner: string; readonly full: boolean },
  context: JobContext,
): Promise<JsonObject> {
  await followOwner(deps.db, { host: deps.source.host, owner: ask.owner });
  const listed = await recordListing(deps, ask, context);
  const vanished = await settleUnlisted(deps, ask.owner, [...listed.ids], context);
  const { ids, pages, unchangedPages, counts } = listed;
  return {
    organisation: ask.owner,
    found: ids.size,
    ...{ added: counts.added, changed: counts.changed, pushed: counts.pushed },
    ...vanished,
    ...{ pages, pages_unchanged: unchangedPages, jobs_enqueued: counts.jobs },
  };
}

async function recordListing(
  deps: RefreshDeps,
  { owner, full }: { readonly owner: string; readonly full: boolean },
  context: JobContext,
) {
  const ids = new Set<number>();
  let counts: RecordCounts = { added: 0, changed: 0, pushed: 0, jobs: 0 };
  let [pages, unchangedPages] = [0, 0];
  for await (const page of readListing(deps, owner, { full }, context)) {
    counts = sum(counts, await recordRepos(deps, page.repos, page.seenAt, context.job));
    for (const { githubId } of page.repos) ids.add(githubId);
    pages++;
    if (page.isUnchanged) unchangedPages++;
    context.progress(0, `${ids.size} repositories of ${owner} read`);
  }
  return { ids, counts, pages, unchangedPages };
}

function sum(a: RecordCounts, b: RecordCounts): RecordCounts {
  return {
    added: a.added + b.added,
    changed: a.changed + b.changed,
    pushed: a.pushed + b.pushed,
    jobs: a.jobs + b.jobs,
  };
}

async function settleUnlisted(
  deps: RefreshDeps,
  owner: string,
  listedIds: readonly number[],
  context: JobContext,
): Promise<{ archived: number; transferred: number; unlisted_kept: number }> {
  const { host } = deps.source;
  const { known, unlisted } = await listUnlisted(deps.db, { host, owner, listedIds });
  const isDoubtful = unlisted.length > Math.max(VANISHED_MIN, known * VANISHED_SHARE_MAX);
  const asked = unlisted.slice(0, isDoubtful ? DOUBTED_ASKED_MAX : VANISHED_ASKED_MAX);
  const outcomes: UnlistedOutcome[] = [];
  for (const [at, repo] of asked.entries()) {
    context.progress(at / asked.length, `asking for ${repo.name}, which is not listed any more`);
    outcomes.push(await settleOne(deps, repo, isDoubtful, context));
  }
  const count = (wanted: UnlistedOutcome) => outcomes.filter((one) => one === wanted).length;
  const kept = count("kept") + unlisted.length - asked.length;
  if (isDoubtful)
    context.log.warn("listing.doubted", { owner, known, unlisted: unlisted.length, kept });
  return { archived: count("archived"), transferred: count("moved"), unlisted_kept: kept };
}

type UnlistedOutcome = "archived" | "moved" | "kept";

async function settleOne(
  deps: RefreshDeps,
  repo: StoredSource,
  isDoubtful: boolean,
  context: JobContext,
): Promise<UnlistedOutcome> {
  const outcome = await refreshSource(deps, repo, context, { archive: !isDoubtful });
  if (outcome === "moved") return "moved";
  return outcome === "gone" && !isDoubtful ? "archived" : "kept";
}
