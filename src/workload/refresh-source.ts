/** What GitHub says now of one repository, asked by the id that outlives renames and transfers. */
import type { JobContext } from "../job/port.js";
import type { RepoStore, SourceHost, SourceRepo } from "../job/source-port.js";
import { markGone, type StoredSource } from "../store/repo-sources.js";
import { type RecordDeps, recordRepos } from "./record-repos.js";
import { forgetRepos } from "./repo-cache.js";

export interface RefreshDeps extends RecordDeps {
  readonly source: SourceHost;
  readonly clones: RepoStore | null;
}

/** What else counts of an answer. */
const SAID = [
  ...(["githubId", "owner", "name", "cloneUrl", "defaultBranch"] as const),
  ...(["isPrivate", "isFork", "sizeKb"] as const),
];

/** `changed`: its name, branch or state; `moved`: its owner; `pushed` asked for people and score again. */
export type RefreshOutcome = "unchanged" | "changed" | "pushed" | "moved" | "gone";

/**
 * Its row moves only forward: an answer that is older than what is known changes nothing. Without `archive` one that
 * is gone keeps its row as it is.
 */
export async function refreshSource(
  deps: RefreshDeps,
  known: StoredSource,
  context: JobContext,
  { archive }: { readonly archive: boolean } = { archive: true },
): Promise<RefreshOutcome> {
  const seenAt = context.now();
  const answer = await deps.source.repo({ githubId: known.githubId }, context.signal);
  if (answer === "gone") return archive ? settleGone(deps, known, seenAt) : "gone";
  if (isAsKnown(answer, known)) return "unchanged";
  const counts = await recordRepos(deps, [answer], seenAt, context.job);
  if (answer.owner.toLowerCase() !== known.owner.toLowerCase()) return "moved";
  if (counts.pushed > 0) return "pushed";
  return counts.changed > 0 ? "changed" : "unchanged";
}

/** Most often: then nothing is locked and nothing written. */
function isAsKnown(answer: SourceRepo, known: StoredSource): boolean {
  return (
    known.goneAt === null &&
    answer.pushedAt?.getTime() === known.pushedAt?.getTime() &&
    (answer.isArchived || answer.isDisabled) === known.isArchived &&
    SAID.every((key) => answer[key] === known[key])
  );
}

async function settleGone(
  deps: RefreshDeps,
  known: StoredSource,
  seenAt: Date,
): Promise<RefreshOutcome> {
  const isNews = await deps.db.transaction((tx) => markGone(tx, known.id, seenAt));
  if (!isNews) return known.goneAt === null ? "unchanged" : "gone";
  await forgetRepos(deps.cache, [known.id]);
  // Those of other machines go as the least recently used.
  await deps.clones?.forget(known.id);
  return "gone";
}
