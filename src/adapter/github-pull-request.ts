/**
 * Opens a pull request in steps that find what an earlier try has left. The branch is made together with its one
 * commit, so there is never a branch without it; a commit that no branch names is swept away by GitHub.
 */
import { createHash } from "node:crypto";
import { fault } from "../base/fault.js";
import type { NewPullRequest, PullRequestRef } from "../review/port.js";
import { wasAnswered } from "./github-faults.js";
import { listBelow, listTree } from "./github-files.js";
import { type GitHubRepository, readBranch } from "./github-repository.js";

type Wanted = Pick<NewPullRequest["files"][number], "path" | "text">;

export async function openPullRequest(
  repository: GitHubRepository,
  wish: NewPullRequest,
  signal: AbortSignal,
): Promise<PullRequestRef> {
  const known = await findPullRequest(repository, wish.branch, signal);
  if (known?.state === "open") return known;
  const left = await findBranch(repository, wish.branch, signal);
  if (left === null) await makeBranch(repository, wish, signal);
  else await refuseOtherContent(repository, left, wish, signal);
  return createPullRequest(repository, wish, signal);
}

/** The open one, else the newest; null when this branch never had one. */
export async function findPullRequest(
  { at, call }: GitHubRepository,
  branch: string,
  signal: AbortSignal,
): Promise<PullRequestRef | null> {
  const found = await call(signal, "the pull requests", (octokit, request) =>
    octokit.rest.pulls.list({
      ...{ ...at, head: `${at.owner}:${branch}`, state: "all" },
      ...{ sort: "created", direction: "desc", per_page: 30, request },
    }),
  );
  // A filter that GitHub does not understand lists everything.
  const own = found.filter(({ head }) => head.ref === branch).map(toRef);
  return own.find(({ state }) => state === "open") ?? own[0] ?? null;
}

/** As the port names it. */
export function toRef(pull: {
  readonly number: number;
  readonly html_url: string;
  readonly state: string;
  readonly merged_at: string | null;
  readonly head: { readonly ref: string };
}): PullRequestRef {
  const closed = pull.merged_at === null ? "closed" : "merged";
  const state = pull.state === "open" ? "open" : closed;
  return { number: pull.number, url: pull.html_url, branch: pull.head.ref, state };
}

async function findBranch(
  repository: GitHubRepository,
  branch: string,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    return await readBranch(repository, branch, signal);
  } catch (error) {
    if (wasAnswered(error, 404)) return null;
    throw error;
  }
}

async function makeBranch(
  repository: GitHubRepository,
  wish: NewPullRequest,
  signal: AbortSignal,
): Promise<void> {
  const { at, call } = repository;
  const sha = await makeCommit(repository, wish, signal);
  try {
    await call(signal, `the branch ${wish.branch}`, (octokit, request) =>
      octokit.rest.git.createRef({ ...at, ref: `refs/heads/${wish.branch}`, sha, request }),
    );
  } catch (error) {
    // Somebody has asked for the same at the same time, and was faster.
    if (!wasAnswered(error, 422, /already exists/i)) throw error;
    const commit = await readBranch(repository, wish.branch, signal);
    await refuseOtherContent(repository, commit, wish, signal);
  }
}

async function makeCommit(
  { at, call }: GitHubRepository,
  wish: NewPullRequest,
  signal: AbortSignal,
): Promise<string> {
  const parent = await call(signal, `the commit ${wish.commit}`, (octokit, request) =>
    octokit.rest.git.getCommit({ ...at, commit_sha: wish.commit, request }),
  );
  const files = wish.files.map(({ path, text }) => ({
    ...{ path, content: text },
    ...({ mode: "100644", type: "blob" } as const),
  }));
  const tree = await call(signal, "the files of the change", (octokit, request) =>
    octokit.rest.git.createTree({ ...at, base_tree: parent.tree.sha, tree: files, request }),
  );
  // Without author and date: GitHub fills in who we are, and signs the commits of apps.
  const commit = await call(signal, "the commit of the change", (octokit, request) =>
    octokit.rest.git.createCommit({
      ...{ ...at, message: wish.message, tree: tree.sha, parents: [wish.commit], request },
    }),
  );
  return commit.sha;
}

/** A branch of our name with somebody else's content must not go out under our words. */
async function refuseOtherContent(
  repository: GitHubRepository,
  commit: string,
  wish: NewPullRequest,
  signal: AbortSignal,
): Promise<void> {
  const root = await listTree(repository, commit, false, signal);
  for (const file of wish.files) {
    const [found] = await listBelow(repository, root, file.path.split("/"), signal);
    if (found?.sha === blobName(file)) continue;
    throw fault.refused(
      "GITHUB_BRANCH_TAKEN",
      `the branch ${wish.branch} is there already and holds another ${file.path}`,
      { hint: "delete that branch at GitHub, and ask again" },
    );
  }
}

/** Git's name of a content: SHA-1 over its kind, its size in bytes and itself (gitformat-object). */
function blobName({ text }: Wanted): string {
  const bytes = Buffer.from(text, "utf8");
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

async function createPullRequest(
  repository: GitHubRepository,
  wish: NewPullRequest,
  signal: AbortSignal,
): Promise<PullRequestRef> {
  const { at, call } = repository;
  const { branch: head, base, title, body } = wish;
  try {
    const made = await call(signal, "the pull request", (octokit, request) =>
      octokit.rest.pulls.create({ ...at, head, base, title, body, request }),
    );
    return toRef(made);
  } catch (error) {
    if (!wasAnswered(error, 422, /already exists/i)) throw error;
    const found = await findPullRequest(repository, head, signal);
    if (found === null) throw error;
    return found;
  }
}
