/** What a handler gets and gives, and the foreign systems that handlers talk to. */
import type { Json, JsonObject } from "../base/json.js";
import type { Logger } from "../base/log.js";
import type { HeldJob } from "./job.js";

export interface JobContext {
  readonly job: HeldJob;
  /** Aborted on time-out, cancellation, lost lease and shutdown. Pass it to every outside call. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  now(): Date;
  /**
   * Declares, before the act, how it is undone: a `partial` fault runs the declared compensations
   * in reverse (HB-heal-04). Survives a crash of the process.
   */
  compensateWith(name: string, input: JsonObject): Promise<void>;
}

export interface JobHandler {
  readonly kind: string;
  /** Returns the result to keep, or throws a Fault whose kind says what next. */
  run(context: JobContext): Promise<Json | undefined>;
  /** By the names given to `compensateWith`. Each must be safe to repeat. */
  readonly compensations?: Readonly<
    Record<string, (input: JsonObject, context: JobContext) => Promise<void>>
  >;
}

export interface CommitRecord {
  readonly hash: string;
  readonly authorName: string;
  readonly authorEmail: string;
  readonly authoredAt: Date;
  readonly isMerge: boolean;
  /** `Co-authored-by` trailers as written: `Name <mail>`. */
  readonly coAuthors: readonly { readonly name: string; readonly email: string }[];
}

export interface GitRepository {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  readonly name: string;
  /** Where it was cloned from, as configured but without user and password; null for none. */
  readonly remote: string | null;
}

/** Read-only access to Git repositories on this machine. Nothing of the code leaves it. */
export interface Git {
  /** The repository at `path`, or those directly inside it. Empty when there are none. */
  listRepositories(path: string, signal: AbortSignal): Promise<GitRepository[]>;
  /** Head commit hash and branch; null for a repository without commits. */
  head(
    path: string,
    signal: AbortSignal,
  ): Promise<{ commit: string; branch: string | null } | null>;
  /** Newest first, streamed: a repository of 50,000 commits is never held in memory. Mailmap honoured. */
  commits(
    path: string,
    range: { head: string; since?: Date },
    signal: AbortSignal,
  ): AsyncIterable<CommitRecord>;
  /** Tags with their dates, newest first. */
  tags(path: string, signal: AbortSignal): Promise<{ name: string; at: Date }[]>;
}
