/**
 * From a wish to a pull request. The way is the same each time and every step finds what an earlier try has left, so
 * whoever was interrupted asks again and gets the same pull request.
 */
import { errorMessage, fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import { CATALOGUE_PATH, isPolicyFile } from "../policy/files.js";
import { printPolicyPath } from "../policy/path.js";
import {
  type ChangePlan,
  type ChangeRequest,
  type Planned,
  type ProposeChange,
  planChange,
} from "../review/change-request.js";
import {
  type ChangeWords,
  changeBranches,
  type RowsToGo,
  TRIES_MAX,
  writeChangeRequest,
} from "../review/change-words.js";
import type { GitHost, PullRequestRef } from "../review/port.js";
import { appendAudit } from "../store/audit.js";
import { changeFailed, changeOpened, noteChange } from "../store/config-changes.js";
import type { Database } from "../store/database.js";
import { countEligible } from "./foresee-harm.js";

export interface ProposeChangeDeps {
  readonly host: GitHost;
  readonly db: Database;
  readonly now: () => Date;
  /** Of the database: what a change deletes is counted where it is meant for. */
  readonly environment: string;
}

/** Where policies are in the repository. */
const PLACES = ["policies", CATALOGUE_PATH];
const ERROR_MAX = 500;

export function createProposeChange(deps: ProposeChangeDeps): ProposeChange {
  return async (request, signal) => {
    const { head, planned } = await planOnHost(deps.host, request, signal);
    if (planned.outcome !== "planned") return planned;
    const { plan } = planned;
    await note(deps.db, request, plan);
    const words = writeChangeRequest(request, plan, await countRows(deps, plan));
    const { pullRequest, isNew } = await recordFailure(deps.db, plan.key, () =>
      findOrOpen(deps.host, { plan, words, head }, signal),
    );
    await changeOpened(deps.db, plan.key, pullRequest);
    const { changes, edited } = plan;
    return { outcome: isNew ? "opened" : "already-open", pullRequest, changes, edited };
  };
}

interface Head {
  readonly branch: string;
  readonly commit: string;
}

/** What would be done, by the files of the default branch as they are now; changes nothing. */
export async function planOnHost(
  host: GitHost,
  request: ChangeRequest,
  signal: AbortSignal,
): Promise<{ head: Head; planned: Planned }> {
  const head = await host.head(signal);
  const files = await host.readFiles(head.commit, PLACES, signal);
  const policies = files.filter(({ path }) => isPolicyFile(path));
  if (policies.length === 0) {
    throw fault.refused("CHANGE_WITHOUT_POLICIES", `the branch ${head.branch} holds no policies/`, {
      hint: "set GITOPS_REPO to the repository that the policies come from",
    });
  }
  return { head, planned: planChange(policies, request) };
}

/** What a smaller number deletes, by the rows of the runtime that was asked. */
async function countRows(
  { db, now, environment }: ProposeChangeDeps,
  { before, after }: ChangePlan,
): Promise<RowsToGo[]> {
  if (after.environment !== environment) return [];
  const counts = await countEligible(db, { before, after }, now());
  return Object.entries(counts).map(([entity, count]) => ({ entity, ...count }));
}

/** Each wish is audited, also when it is not the first. */
async function note(db: Database, request: ChangeRequest, plan: ChangePlan): Promise<void> {
  const values = Object.fromEntries(
    request.changes.map(({ path, value }) => [printPolicyPath(path), value]),
  ) as JsonObject;
  const { environment, reason, by } = request;
  await db.transaction(async (tx) => {
    await noteChange(tx, { key: plan.key, environment, values, reason, requestedBy: by });
    await appendAudit(tx, {
      actor: by,
      action: "change.requested",
      target: `change:${plan.key}`,
      details: { environment, values, reason },
    });
  });
}

async function recordFailure<T>(db: Database, key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await changeFailed(db, key, errorMessage(error).slice(0, ERROR_MAX));
    throw error;
  }
}

/** One that people have closed or merged is answered; asked once more, the same words get a branch of their own. */
async function findOrOpen(
  host: GitHost,
  { plan, words, head }: { plan: ChangePlan; words: ChangeWords; head: Head },
  signal: AbortSignal,
): Promise<{ pullRequest: PullRequestRef; isNew: boolean }> {
  for (const branch of changeBranches(plan.key)) {
    const known = await host.findPullRequest(branch, signal);
    if (known?.state === "open") return { pullRequest: known, isNew: false };
    if (known !== null) continue;
    const place = { branch, commit: head.commit, base: head.branch, files: plan.files };
    const pullRequest = await host.openPullRequest({ ...place, ...words }, signal);
    return { pullRequest, isNew: true };
  }
  throw fault.refused("CHANGE_CLOSED_OFTEN", `people have closed this change ${TRIES_MAX} times`, {
    hint: `speak with them, or edit ${plan.files[0]?.path ?? "the file"} yourself`,
  });
}
