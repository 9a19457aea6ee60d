/** What a handler gets and gives, and the foreign systems that handlers talk to. */
import type { Json, JsonObject } from "../base/json.js";
import type { Logger } from "../base/log.js";
import type { HeldJob } from "./job.js";

export interface JobContext {
  readonly job: HeldJob;
  /** Aborted on time-out, cancellation, lost lease and shutdown. Pass it to every outside call. */
  readonly signal: AbortSignal;
  /** Lines of info, warn and error are also kept with the attempt, within bounds. */
  readonly log: Logger;
  /**
   * How far it came, for a person who waits: 0 to 1, and a word such as "430 of 1000". Call it as often as
   * you like: only the newest is written, once a second.
   */
  progress(fraction: number, note?: string): void;
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

/** A repository, and the folder outside of which nothing of it may lie. Both absolute, links resolved. */
export interface RepoPlace {
  readonly path: string;
  readonly root: string;
}

export interface GitRepository {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  /** The folder that was listed. */
  readonly root: string;
  readonly name: string;
  /** Where it was cloned from, as configured but without user and password; null for none. */
  readonly remote: string | null;
}

/**
 * Read-only access to Git repositories on this machine. Nothing of the code leaves it, and nothing that a
 * repository says of itself (configuration, hooks, attributes) takes part in reading it.
 */
export interface Git {
  /** The repository at `path`, or those directly inside it. Empty when there are none. */
  listRepositories(path: string, signal: AbortSignal): Promise<GitRepository[]>;
  /** Head commit hash and branch; null for a repository without commits. */
  head(
    at: RepoPlace,
    signal: AbortSignal,
  ): Promise<{ commit: string; branch: string | null } | null>;
  /**
   * Newest first, streamed: a repository of 50,000 commits is never held in memory. Mailmap of `head` honoured.
   * `not`: without that commit and all before it.
   */
  commits(
    at: RepoPlace,
    range: {
      readonly head: string;
      readonly not?: string;
      readonly since?: Date;
      readonly until?: Date;
    },
    signal: AbortSignal,
  ): AsyncIterable<CommitRecord>;
  /** Also false when `ancestor` is not there. */
  isAncestor(at: RepoPlace, ancestor: string, head: string, signal: AbortSignal): Promise<boolean>;
  /** The newest commit of the first-parent line that was committed at or before `until`; null: none. */
  commitAt(at: RepoPlace, head: string, until: Date, signal: AbortSignal): Promise<string | null>;
  /** The object that names people in that commit; one of more than 1 MiB is not read. */
  mailmap(
    at: RepoPlace,
    head: string,
    signal: AbortSignal,
  ): Promise<{ readonly oid: string } | "none" | "too-large">;
  /** Tags with their dates, newest first. */
  tags(at: RepoPlace, signal: AbortSignal): Promise<{ name: string; at: Date }[]>;
}

/** Reads since the counting began; with Redis those of all processes. */
export interface CacheReads {
  readonly hits: number;
  /** Reads of a cache that did not answer are among them. */
  readonly misses: number;
}

export interface CacheStats extends CacheReads {
  readonly store: "redis" | "memory";
  readonly keys: number;
  /** False: there are more keys than one look goes through; `keys` and `oldestAt` are of the first part. */
  readonly complete: boolean;
  /** When the oldest entry was stored; null without entries. */
  readonly oldestAt: Date | null;
  /** Bytes in use; null when the store does not tell. */
  readonly memoryBytes: number | null;
}

/**
 * What may be forgotten at any moment (HB-wrk-17). No call throws or waits longer than its bound: a cache that
 * does not answer is a miss, and the caller reads the source.
 */
export interface Cache {
  /** Null: never stored, expired, or no answer. */
  get(key: string): Promise<JsonObject | null>;
  /** False: it was not kept. */
  set(key: string, value: JsonObject, ttlMs: number): Promise<boolean>;
  /** What cannot be reached stays until it expires: a caller must be able to live with it for that long. */
  delete(...keys: string[]): Promise<void>;
  /** In steps, so that nobody else waits. How many are gone; null when not all of the store was reached. */
  deleteByPrefix(prefix: string): Promise<number | null>;
  /** Cheap enough for every sample. Null: no answer. */
  reads(): Promise<CacheReads | null>;
  /** Looks at every key: for people. Null: no answer. */
  stats(): Promise<CacheStats | null>;
}
