/** GitHub's JSON as a stand-in gives it: of each object the keys that are always there, in the shape that GitHub documents. */
import type { StandInCommit } from "./github-commits.js";

export interface StandInPull {
  readonly number: number;
  readonly title: string;
  readonly body: string;
  readonly author: string;
  /** Branch that is to be merged, and its commit. */
  readonly head: string;
  readonly headSha: string;
  readonly base: string;
  readonly baseSha: string;
  readonly state: "open" | "closed";
  readonly createdAt: string;
  readonly closedAt: string | null;
  readonly mergedAt: string | null;
  readonly mergeCommit: string | null;
}

export interface StandInComment {
  readonly id: number;
  readonly pull: number;
  readonly author: string;
  readonly body: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface StandInIssue {
  /** Shares its numbers with the pull requests. */
  readonly number: number;
  readonly title: string;
  readonly body: string;
  readonly author: string;
  readonly state: "open" | "closed";
}

type Thing = Readonly<Record<string, unknown>>;

/** Where things of one repository are: `api` without a slash at its end, `name` as `owner/name`. */
export interface StandInPlace {
  readonly api: string;
  readonly name: string;
  readonly defaultBranch: string;
}

export function userObject(login: string, { api }: StandInPlace): Thing {
  const isBot = login.endsWith("[bot]");
  return {
    login,
    id: 1000,
    node_id: "MDA6RW50aXR5MQ==",
    url: `${api}/users/${login}`,
    html_url: `https://github.com/${login}`,
    type: isBot ? "Bot" : "User",
    site_admin: false,
  };
}

export function repositoryObject(place: StandInPlace): Thing {
  const [owner = "", name = ""] = place.name.split("/");
  return {
    id: 1000,
    node_id: "MDA6RW50aXR5MQ==",
    name,
    full_name: place.name,
    private: true,
    owner: userObject(owner, place),
    html_url: `https://github.com/${place.name}`,
    description: null,
    fork: false,
    url: `${place.api}/repos/${place.name}`,
    default_branch: place.defaultBranch,
    archived: false,
    disabled: false,
  };
}

export function refObject(branch: string, sha: string, place: StandInPlace): Thing {
  const git = `${place.api}/repos/${place.name}/git`;
  return {
    ref: `refs/heads/${branch}`,
    node_id: "MDA6RW50aXR5MQ==",
    url: `${git}/refs/heads/${branch}`,
    object: { sha, type: "commit", url: `${git}/commits/${sha}` },
  };
}

export function commitObject(commit: StandInCommit, author: string, place: StandInPlace): Thing {
  const git = `${place.api}/repos/${place.name}/git`;
  const by = { name: author, email: `${author}@example.com`, date: commit.at.toISOString() };
  return {
    sha: commit.sha,
    node_id: "MDA6RW50aXR5MQ==",
    url: `${git}/commits/${commit.sha}`,
    html_url: `https://github.com/${place.name}/commit/${commit.sha}`,
    author: by,
    committer: by,
    tree: { sha: commit.tree, url: `${git}/trees/${commit.tree}` },
    message: commit.message,
    parents: commit.parents.map((sha) => ({ sha, url: `${git}/commits/${sha}` })),
    verification: { verified: false, reason: "unsigned", signature: null, payload: null },
  };
}

/** As commits of a pull request are listed: with the users whom GitHub knows beside what Git says. */
export function listedCommitObject(commit: StandInCommit, place: StandInPlace): Thing {
  const user = commit.by === undefined ? null : userObject(commit.by, place);
  const { sha, node_id, html_url, parents, ...rest } = commitObject(
    commit,
    commit.by ?? "somebody",
    place,
  );
  return { sha, node_id, html_url, parents, commit: rest, author: user, committer: user };
}

export function pullObject(pull: StandInPull, place: StandInPlace): Thing {
  const [owner = ""] = place.name.split("/");
  const repo = repositoryObject(place);
  const side = (ref: string, sha: string) => ({
    ...{ label: `${owner}:${ref}`, ref, sha },
    ...{ user: userObject(owner, place), repo },
  });
  return {
    url: `${place.api}/repos/${place.name}/pulls/${pull.number}`,
    id: 279_000_000 + pull.number,
    node_id: "MDA6RW50aXR5MQ==",
    html_url: `https://github.com/${place.name}/pull/${pull.number}`,
    number: pull.number,
    state: pull.state,
    locked: false,
    title: pull.title,
    user: userObject(pull.author, place),
    body: pull.body,
    created_at: pull.createdAt,
    updated_at: pull.closedAt ?? pull.createdAt,
    closed_at: pull.closedAt,
    merged_at: pull.mergedAt,
    merge_commit_sha: pull.mergeCommit,
    assignees: [],
    requested_reviewers: [],
    labels: [],
    head: side(pull.head, pull.headSha),
    base: side(pull.base, pull.baseSha),
    author_association: "CONTRIBUTOR",
    draft: false,
    merged: pull.mergedAt !== null,
  };
}

export function commentObject(comment: StandInComment, place: StandInPlace): Thing {
  const { id, pull, author, body, createdAt, updatedAt } = comment;
  return {
    url: `${place.api}/repos/${place.name}/issues/comments/${id}`,
    html_url: `https://github.com/${place.name}/issues/${pull}#issuecomment-${id}`,
    issue_url: `${place.api}/repos/${place.name}/issues/${pull}`,
    id,
    node_id: "MDA6RW50aXR5MQ==",
    user: userObject(author, place),
    created_at: createdAt,
    updated_at: updatedAt,
    author_association: "CONTRIBUTOR",
    body,
  };
}

/** Of `push`, which GitHub sends for every branch that moves. */
export function pushEvent(
  push: { readonly branch: string; readonly before: string; readonly after: StandInCommit },
  paths: readonly string[],
  author: string,
  place: StandInPlace,
): Thing {
  const { branch, before, after } = push;
  const by = { name: author, email: `${author}@example.com`, username: author };
  const commit = {
    id: after.sha,
    tree_id: after.tree,
    distinct: true,
    message: after.message,
    timestamp: after.at.toISOString(),
    url: `https://github.com/${place.name}/commit/${after.sha}`,
    ...{ author: by, committer: by, added: [], removed: [], modified: paths },
  };
  return {
    ref: `refs/heads/${branch}`,
    before,
    after: after.sha,
    repository: repositoryObject(place),
    pusher: { name: author, email: by.email },
    sender: userObject(author, place),
    ...{ created: false, deleted: false, forced: false, base_ref: null },
    compare: `https://github.com/${place.name}/compare/${before}...${after.sha}`,
    commits: [commit],
    head_commit: commit,
  };
}

export function issueObject(issue: StandInIssue, place: StandInPlace): Thing {
  const { number, title, body, state, author } = issue;
  return {
    id: 2000 + number,
    node_id: "MDA6RW50aXR5MQ==",
    ...{ number, title, body, state, user: userObject(author, place) },
    url: `${place.api}/repos/${place.name}/issues/${number}`,
    html_url: `https://github.com/${place.name}/issues/${number}`,
    labels: [],
    comments: 0,
  };
}
