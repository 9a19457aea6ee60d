/** Changes past Git that somebody means to be gone by a time, as runbooks may see and make them. */
import type { Json } from "../base/json.js";

export interface TemporaryChangeView {
  readonly id: number;
  readonly environment: string;
  /** `ecs service workers`. */
  readonly target: string;
  /** `desired_count`. */
  readonly attribute: string;
  readonly before: Json;
  readonly after: Json;
  readonly reason: string;
  readonly owner: string;
  /** `run-17`; null: no run made it. */
  readonly runId: string | null;
  readonly madeAt: Date;
  readonly expiresAt: Date;
}

export interface TemporaryChangeReader {
  /** Those in force, oldest first. */
  temporaryChanges(): Promise<readonly TemporaryChangeView[]>;
}

export interface TemporaryChangeWriter {
  /**
   * Answers with its number. One in force of the same target and attribute ends by it, and what was before that stays
   * `before`.
   */
  noteTemporary(
    request: Pick<
      TemporaryChangeView,
      "environment" | "target" | "attribute" | "before" | "after" | "reason" | "runId"
    > & {
      /** Milliseconds, a day at most. */
      readonly forMs: number;
    },
  ): Promise<number>;
  /** False when none of this number is in force. */
  endTemporary(request: { readonly id: number; readonly reason: string }): Promise<boolean>;
}
