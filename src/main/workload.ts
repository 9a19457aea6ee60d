/**
 * The one place where AlgoBrain's own work is plugged in. Another system's program has another file here;
 * a test builds the program with an empty one, so nothing else may come to depend on that room.
 */

import type { KindSpec } from "../job/kinds.js";
import type { Git, JobHandler } from "../job/port.js";
import type { Database } from "../store/database.js";
import { WORKLOAD_KINDS } from "../workload/payloads.js";
import { createWorkload } from "../workload/workload.js";

export interface Workload {
  readonly kinds: readonly KindSpec[];
  /** One for each of the kinds. */
  createHandlers(ports: { readonly db: Database; readonly git: Git }): JobHandler[];
}

export const WORKLOAD: Workload = { kinds: WORKLOAD_KINDS, createHandlers: createWorkload };
