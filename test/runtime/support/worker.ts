/** A worker in this process, with kinds of the test's own, and everything it said. */

import type { TSchema } from "typebox";
import { type Clock, systemClock } from "../../../src/base/clock.js";
import type { Json } from "../../../src/base/json.js";
import { silentLogger } from "../../../src/base/log.js";
import { Type } from "../../../src/base/type.js";
import { KindRegistry } from "../../../src/job/kinds.js";
import type { JobContext, JobHandler } from "../../../src/job/port.js";
import type { PolicySet } from "../../../src/policy/policy.js";
import type { RuntimeEvent } from "../../../src/runtime/events.js";
import type { RuntimeWord } from "../../../src/runtime/runtime-word.js";
import { createWorker, type RuntimeWorker } from "../../../src/runtime/worker.js";
import type { Database } from "../../../src/store/database.js";
import { until } from "../../support/until.js";
import { makePolicy, type PolicyWishes } from "./policy.js";

export interface TestKind {
  readonly kind: string;
  readonly payload?: TSchema;
  readonly run: (context: JobContext) => Promise<Json | undefined>;
  readonly compensations?: JobHandler["compensations"];
}

export interface TestWorkerWishes extends PolicyWishes {
  readonly handlers: readonly TestKind[];
  readonly policy?: () => PolicySet;
  readonly globalCap?: number | null;
  readonly evidenceDir?: string;
  /** Default: an error. */
  readonly onFatal?: (why: string) => void;
  readonly pollMaxMs?: number;
  readonly drainMs?: number;
  readonly clock?: Clock;
}

export interface TestWorker {
  readonly worker: RuntimeWorker;
  readonly id: string;
  readonly events: RuntimeEvent[];
  readonly words: RuntimeWord[];
  /** Resolves with the first event of this name about this job, also one that was said before. */
  seen<E extends RuntimeEvent["event"]>(
    event: E,
    jobId?: string,
  ): Promise<Extract<RuntimeEvent, { event: E }>>;
}

/** Stops the worker whatever the test does. */
export async function withWorker(
  at: { readonly db: Database; readonly url: string },
  wishes: TestWorkerWishes,
  test: (worker: TestWorker) => Promise<void>,
): Promise<void> {
  const events: RuntimeEvent[] = [];
  const words: RuntimeWord[] = [];
  const policy = makePolicy({
    ...wishes,
    kinds: wishes.kinds ?? wishes.handlers.map(({ kind }) => ({ kind })),
  });
  const worker = createWorker({
    db: at.db,
    databaseUrl: at.url,
    databaseSsl: false,
    registry: registryOf(wishes.handlers),
    handlers: wishes.handlers,
    policy: wishes.policy ?? (() => policy),
    lane: "general",
    kinds: null,
    globalCap: wishes.globalCap === undefined ? 100 : wishes.globalCap,
    evidenceDir: wishes.evidenceDir ?? null,
    pollMaxMs: wishes.pollMaxMs ?? 200,
    drainMs: wishes.drainMs ?? 10_000,
    parentPid: null,
    clock: wishes.clock ?? systemClock,
    log: silentLogger,
    emit: (event) => events.push(event),
    random: () => 0.5,
    redact: (text) => text.replaceAll("hunter2-hunter2", "[redacted]"),
    notify: async (_sql, word) => {
      words.push(word);
    },
    onFatal:
      wishes.onFatal ??
      ((why) => {
        throw new Error(why);
      }),
  });
  const { id } = await worker.start();
  try {
    await test({ worker, id, events, words, seen: (event, jobId) => seen(events, event, jobId) });
  } finally {
    await worker.stop(0);
  }
}

function registryOf(kinds: readonly Pick<TestKind, "kind" | "payload">[]): KindRegistry {
  return new KindRegistry(
    kinds.map(({ kind, payload }) => ({
      kind,
      lane: "general",
      payload: payload ?? Type.Object({}),
    })),
  );
}

function seen<E extends RuntimeEvent["event"]>(
  events: readonly RuntimeEvent[],
  name: E,
  jobId: string | undefined,
): Promise<Extract<RuntimeEvent, { event: E }>> {
  return until(
    () =>
      events.find(
        (one): one is Extract<RuntimeEvent, { event: E }> =>
          one.event === name && (jobId === undefined || ("job_id" in one && one.job_id === jobId)),
      ),
    `${name} of ${jobId ?? "any job"}; seen: ${events.map(({ event }) => event).join(", ")}`,
  );
}
