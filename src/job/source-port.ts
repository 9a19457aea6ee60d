/** Where repositories come from: GitHub or GitHub Enterprise, and the clones of them that this machine keeps. */
import type { JsonObject } from "../base/json.js";
import type { SecretText } from "../base/secret-text.js";
import type { RepoPlace } from "./port.js";

export interface SourceRepo {
  /** `github.com`, or that of an Enterprise server. */
  readonly host: string;
  /** Stays the same over renames and transfers. */
  readonly githubId: number;
  readonly owner: string;
  readonly name: string;
  /** `https://…`, without user and password. */
  readonly cloneUrl: string;
  readonly defaultBranch: string | null;
  readonly isPrivate: boolean;
  readonly isFork: boolean;
  readonly isArchived: boolean;
  /** Disabled by GitHub: it cannot be read. */
  readonly isDisabled: boolean;
  /** Kilobytes, as GitHub last counted them. */
  readonly sizeKb: number;
  readonly pushedAt: Date | null;
  readonly updatedAt: Date;
}

export interface SourcePage {
  readonly items: readonly SourceRepo[];
  /** For the next time: null when the answer had none. */
  readonly etag: string | null;
  /** Opaque; null: this was the last page. */
  readonly next: string | null;
}

/** A webhook delivery as GitHub's own log shows it. */
export interface LoggedDelivery {
  readonly id: number;
  /** X-GitHub-Delivery: the same for every attempt. */
  readonly guid: string;
  readonly event: string;
  readonly at: Date;
  /** Of our answer; 0: none came. */
  readonly status: number;
}

export interface ItemPage {
  readonly items: readonly JsonObject[];
  readonly next: string | null;
}

/**
 * Reads of GitHub's REST API. Every request takes from the one budget that all processes share. Each
 * method throws a Fault: `waiting` while the limit is reached or nobody may ask, `transient` for time-outs and
 * 5xx, `data` for what can never be answered. A renamed repository is followed once, on the same host.
 */
export interface SourceHost {
  readonly host: string;
  /** Of an organisation or a user. `unchanged`: the answer with that `etag` still holds (304). */
  listRepos(
    owner: string,
    ask: { readonly page: string | null; readonly etag: string | null },
    signal: AbortSignal,
  ): Promise<SourcePage | "unchanged">;
  /** `gone`: 404, 410 or 451. */
  repo(
    of: { readonly githubId: number } | { readonly owner: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<SourceRepo | "gone">;
  /** Newest first. `hidden`: this credential may not read the organisation's hooks. */
  deliveries(
    owner: string,
    ask: { readonly page: string | null },
    signal: AbortSignal,
  ): Promise<
    { readonly items: readonly LoggedDelivery[]; readonly next: string | null } | "hidden"
  >;
  /** What was sent. Null: GitHub has it no more. */
  delivery(
    owner: string,
    id: number,
    signal: AbortSignal,
  ): Promise<{ readonly guid: string; readonly event: string; readonly body: JsonObject } | null>;
  /** Pull requests by their last change, newest first, as GitHub writes them. */
  pulls(
    repo: SourceRepo,
    ask: { readonly page: string | null },
    signal: AbortSignal,
  ): Promise<ItemPage>;
  releases(
    repo: SourceRepo,
    ask: { readonly page: string | null },
    signal: AbortSignal,
  ): Promise<ItemPage>;
  /** For `git fetch` alone. Null: public repositories only. */
  gitCredential(signal: AbortSignal): Promise<SecretText | null>;
}

export interface HeldClone {
  readonly at: RepoPlace;
  /** From then on it may be evicted. Safe to repeat. */
  release(): Promise<void>;
}

/** Clones without file contents, in a bounded folder of this machine. Nothing of the code leaves it. */
export interface RepoStore {
  /** A clone that was fetched at or after `freshAfter`, fetching now when there is none. */
  hold(
    repo: SourceRepo & { readonly id: string },
    need: { readonly freshAfter: Date },
    signal: AbortSignal,
  ): Promise<HeldClone>;
  forget(repoId: string): Promise<void>;
  stats(): Promise<{ readonly repos: number; readonly bytes: number }>;
}
