/** What review needs of the outside: the host of the repository, and where signed bundles are put and found. */

export interface PullRequestRef {
  readonly number: number;
  readonly url: string;
  readonly branch: string;
  readonly state: "open" | "closed" | "merged";
}

export interface RepositoryFile {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
  /** Git's name of the content. */
  readonly sha: string;
}

export interface NewPullRequest {
  readonly branch: string;
  /** Where the branch begins. */
  readonly commit: string;
  readonly files: readonly RepositoryFile[];
  readonly title: string;
  readonly body: string;
  /** Of the commit. */
  readonly message: string;
}

export interface PullRequestComment {
  readonly id: number;
  readonly author: string;
  readonly body: string;
}

/** What the host enforces on a branch. `known` false: it would not say, and nothing may be concluded. */
export interface Protection {
  readonly known: boolean;
  readonly pullRequestRequired: boolean;
  readonly reviews: number;
  readonly codeOwners: boolean;
  readonly staleDismissed: boolean;
  readonly adminsIncluded: boolean;
  readonly checks: readonly string[];
  readonly forcePush: boolean;
  readonly deletion: boolean;
}

/** One repository. Every call ends with its signal, and throws a Fault of the kind that the host's answer means. */
export interface GitHost {
  /** Head of the default branch. */
  head(signal: AbortSignal): Promise<{ readonly branch: string; readonly commit: string }>;
  readFiles(
    commit: string,
    under: readonly string[],
    signal: AbortSignal,
  ): Promise<RepositoryFile[]>;
  findPullRequest(branch: string, signal: AbortSignal): Promise<PullRequestRef | null>;
  /** Each step finds what an earlier try has left, so it may be asked again at any time. */
  openPullRequest(request: NewPullRequest, signal: AbortSignal): Promise<PullRequestRef>;
  listComments(pullRequest: number, signal: AbortSignal): Promise<PullRequestComment[]>;
  createComment(pullRequest: number, body: string, signal: AbortSignal): Promise<void>;
  updateComment(id: number, body: string, signal: AbortSignal): Promise<void>;
  deleteComment(id: number, signal: AbortSignal): Promise<void>;
  /** Who we are in comments: `<app>[bot]`, or the token's login. */
  whoAmI(signal: AbortSignal): Promise<string>;
  protection(branch: string, signal: AbortSignal): Promise<Protection>;
}

/** Where bundles come from. */
export interface BundleSource {
  /** As people know it: a folder, `s3://bucket/key`. */
  readonly name: string;
  /** Null: nothing that is not known under this tag already. */
  fetch(
    known: string | null,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly tag: string } | null>;
}

/** Where bundles go. */
export interface BundleTarget {
  readonly name: string;
  /** Throws a refused Fault `POLICY_PUBLISH_RACED` when the newest is not `expect` any more. */
  put(
    text: string,
    expect: string | null,
    signal: AbortSignal,
  ): Promise<{ readonly tag: string; readonly version: string | null }>;
}

/** Signs raw bytes with Ed25519 (RFC 8032). */
export interface Signer {
  readonly keyId: string;
  sign(bytes: Buffer, signal: AbortSignal): Promise<Buffer>;
}
