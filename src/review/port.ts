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
  /** The branch that it is to be merged into. */
  readonly base: string;
  /** Whole, as they are to be. */
  readonly files: readonly Pick<RepositoryFile, "path" | "text">[];
  readonly title: string;
  readonly body: string;
  /** Of the commit. */
  readonly message: string;
}

export interface PullRequestCommit {
  readonly sha: string;
  /** Logins of the host; null: nobody whom it knows. */
  readonly author: string | null;
  readonly committer: string | null;
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
  /** Allowed to whoever may push. */
  readonly forcePush: boolean;
  /** Allowed to whoever may push. */
  readonly deletion: boolean;
}

/** What follows from it. Only `on` is good. */
export interface BranchVerdict {
  readonly branch: string;
  readonly verdict: "on" | "off" | "unknown";
  /** What there is to be done, a sentence each; none when it is on. */
  readonly missing: readonly string[];
}

/** One repository. Every call ends with its signal, and throws a Fault of the kind that the host's answer means. */
export interface GitHost {
  /** Head of the default branch. */
  head(signal: AbortSignal): Promise<{ readonly branch: string; readonly commit: string }>;
  /** Text files at `commit` that are, or lie below, one of `under`; what is not there is not in the list. */
  readFiles(
    commit: string,
    under: readonly string[],
    signal: AbortSignal,
  ): Promise<RepositoryFile[]>;
  /** The open one from this branch, else the newest; null: there never was one. */
  findPullRequest(branch: string, signal: AbortSignal): Promise<PullRequestRef | null>;
  /** Each step finds what an earlier try has left, so it may be asked again at any time. */
  openPullRequest(request: NewPullRequest, signal: AbortSignal): Promise<PullRequestRef>;
  /** Without merging it. One that is closed or merged already stays so; the answer says which. */
  closePullRequest(pullRequest: number, signal: AbortSignal): Promise<PullRequestRef>;
  /** Oldest first, five at most: enough to see whose it is. */
  listCommits(pullRequest: number, signal: AbortSignal): Promise<PullRequestCommit[]>;
  listComments(pullRequest: number, signal: AbortSignal): Promise<PullRequestComment[]>;
  createComment(pullRequest: number, body: string, signal: AbortSignal): Promise<void>;
  updateComment(id: number, body: string, signal: AbortSignal): Promise<void>;
  deleteComment(id: number, signal: AbortSignal): Promise<void>;
  /** Who we are in comments: `<app>[bot]`, or the token's login. */
  whoAmI(signal: AbortSignal): Promise<string>;
  protection(branch: string, signal: AbortSignal): Promise<Protection>;
}

export interface HostIssue {
  readonly number: number;
  readonly author: string;
  readonly body: string;
}

export interface IssueText {
  readonly title: string;
  readonly body: string;
}

/** The issues of one repository. Every call ends with its signal, and throws a Fault of the kind that the answer means. */
export interface IssueHost {
  /** Without pull requests, oldest first. */
  listOpen(signal: AbortSignal): Promise<HostIssue[]>;
  create(issue: IssueText, signal: AbortSignal): Promise<number>;
  update(number: number, issue: IssueText, signal: AbortSignal): Promise<void>;
  /** As done. */
  close(number: number, signal: AbortSignal): Promise<void>;
  /** Who we are in issues: `<app>[bot]`, or the token's login. */
  whoAmI(signal: AbortSignal): Promise<string>;
}

/** What an answer of the host says of its limit of requests. */
export interface HostBudget {
  readonly limit: number;
  readonly remaining: number;
  /** When the limit is whole again. */
  readonly resetAt: Date;
}

/** Where bundles come from. */
export interface BundleSource {
  /** As people know it: a folder, `s3://bucket/key`. */
  readonly name: string;
  /** Null: nothing that is not known under this tag already. */
  readonly fetch: (
    known: string | null,
    signal: AbortSignal,
  ) => Promise<{ readonly text: string; readonly tag: string } | null>;
}

/** Where bundles go. */
export interface BundleTarget {
  readonly name: string;
  /** Throws a refused Fault `POLICY_PUBLISH_RACED` when the newest is not `expect` (its tag) any more; null: none. */
  put(
    envelope: { readonly text: string; readonly revision: number },
    expect: string | null,
    signal: AbortSignal,
  ): Promise<{ readonly tag: string; readonly version: string | null }>;
}

/** Signs raw bytes with Ed25519 (RFC 8032). */
export interface Signer {
  readonly keyId: string;
  sign(bytes: Buffer, signal: AbortSignal): Promise<Buffer>;
}

/** A private key that never leaves its keeper. */
export interface KeptKey {
  /** DER (SubjectPublicKeyInfo). */
  publicKey(signal: AbortSignal): Promise<Buffer>;
  /** Ed25519 (RFC 8032) over the bytes as they are. */
  sign(bytes: Buffer, signal: AbortSignal): Promise<Buffer>;
}

/** Where a backtest reads what was measured: another database, our API, a Prometheus server. */
export interface HistorySource {
  /** As people know it. */
  readonly name: string;
  /** Throws a Fault of the kind that the answer means. Series without any sample are left out. */
  load(wanted: WantedHistory, signal: AbortSignal): Promise<readonly HistorySeries[]>;
}

export interface WantedHistory {
  readonly metrics: readonly {
    /** Dotted, as in metrics.yaml. */
    readonly name: string;
    /** What Prometheus calls it, and by what its values there must be multiplied to be in our unit. */
    readonly prometheusName: string;
    readonly factor: number;
    readonly labels: readonly string[];
  }[];
  /** Excluded. */
  readonly from: Date;
  /** Included. */
  readonly to: Date;
  /** Milliseconds between two samples. */
  readonly stepMs: number;
}

export interface HistorySeries {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, ascending. */
  readonly times: Float64Array;
  readonly values: Float64Array;
}
