/**
 * The legal moves of a job, in one table. The store's statements carry the same conditions; the
 * runtime never asks for a move that is not here, and no move leaves a final state without a person.
 */
import type { JobStatus } from "./job.js";

export type MoveName =
  | "claim"
  | "complete"
  | "fail"
  | "quarantine"
  | "reschedule"
  | "release"
  | "cancel"
  | "requeue"
  | "reset";

export interface Move {
  readonly name: MoveName;
  readonly from: readonly JobStatus[];
  readonly to: JobStatus;
  readonly by: "runtime" | "person";
}

export const MOVES: readonly Move[] = [
  { name: "claim", from: ["pending"], to: "running", by: "runtime" },
  { name: "complete", from: ["running"], to: "completed", by: "runtime" },
  { name: "fail", from: ["running"], to: "failed", by: "runtime" },
  { name: "quarantine", from: ["running"], to: "quarantined", by: "runtime" },
  /** Again at a time: a retry, a restart, or a wait that burns no attempt. */
  { name: "reschedule", from: ["running"], to: "pending", by: "runtime" },
  /** Given back unfinished by a process that stops. */
  { name: "release", from: ["running"], to: "pending", by: "runtime" },
  {
    name: "cancel",
    from: ["pending", "running", "failed", "quarantined"],
    to: "cancelled",
    by: "person",
  },
  /** what ended may run again; a running job is refused. */
  {
    name: "requeue",
    from: ["failed", "quarantined", "cancelled"],
    to: "pending",
    by: "person",
  },
  /** X-01 `--force`: ends the hold first; the late finisher changes nothing. */
  { name: "reset", from: ["running"], to: "pending", by: "person" },
];

const byName = new Map(MOVES.map((move) => [move.name, move]));

export function mayMove(name: MoveName, from: JobStatus): boolean {
  return byName.get(name)?.from.includes(from) ?? false;
}
