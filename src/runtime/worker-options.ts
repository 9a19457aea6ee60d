/** What a worker process is built from: everything it does not know by itself is handed in. */
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import type { KindRegistry, Lane } from "../job/kinds.js";
import type { JobHandler } from "../job/port.js";
import type { PolicySet } from "../policy/policy.js";
import type { Database } from "../store/database.js";
import type { Emit } from "./events.js";
import type { RuntimeNotify } from "./runtime-word.js";

export interface WorkerOptions {
  readonly db: Database;
  /** For the heartbeat and the listener, which need sessions of their own: past any pooler. */
  readonly databaseUrl: string;
  readonly databaseSsl: boolean;
  readonly registry: KindRegistry;
  readonly handlers: readonly JobHandler[];
  /** In force now, overrides applied: it may be another one at the next claim. */
  readonly policy: () => PolicySet;
  readonly lane: Lane;
  /** Only these of the lane (`serve --kinds`); null: all that have a handler. */
  readonly kinds: readonly string[] | null;
  /** ORCHESTRATOR_MAX_CONCURRENT_JOBS, over all processes; null for no limit. */
  readonly globalCap: number | null;
  /** Where this process notes which handlers have started, for whoever finds it dead; null or absent: nowhere. */
  readonly evidenceDir?: string | null;
  /** ORCHESTRATOR_POLL_INTERVAL_MS: the longest pause between two polls. */
  readonly pollMaxMs: number;
  /** Milliseconds that running jobs get to end by themselves on stop. */
  readonly drainMs: number;
  /** Of `parentLink()`: the supervisor, which is told our id. Null: there is none. */
  readonly parentPid: number | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly emit: Emit;
  /** In [0, 1). */
  readonly random: () => number;
  readonly redact: (text: string) => string;
  readonly notify: RuntimeNotify;
  /** The process must end now; what it held is healed by others. */
  readonly onFatal: (why: string) => void;
}
