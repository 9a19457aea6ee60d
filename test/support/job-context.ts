/** What a handler gets from the runtime, for tests that call a handler directly. */

import type { JsonObject } from "../../src/base/json.js";
import { silentLogger } from "../../src/base/log.js";
import type { JobContext } from "../../src/job/port.js";

export interface TestContext extends JobContext {
  /** What the handler declared, first to last. */
  readonly declared: { readonly name: string; readonly input: JsonObject }[];
  /** What it said of its progress, first to last. */
  readonly reached: { readonly fraction: number; readonly note?: string | undefined }[];
}

export interface TestJob {
  readonly kind?: string;
  readonly payload: JsonObject;
  readonly seq?: number;
  readonly createdAt?: string;
  readonly now?: string;
  readonly signal?: AbortSignal;
}

export function makeContext(job: TestJob): TestContext {
  const { seq = 1, now = "2026-06-15T12:00:00Z", createdAt = now } = job;
  const declared: { name: string; input: JsonObject }[] = [];
  const reached: { fraction: number; note?: string | undefined }[] = [];
  return {
    job: {
      seq,
      id: `job-${seq}`,
      kind: job.kind ?? "test",
      payload: job.payload,
      attempt: 1,
      fence: 1,
      crashCount: 0,
      createdAt: new Date(createdAt),
    },
    signal: job.signal ?? new AbortController().signal,
    log: silentLogger,
    now: () => new Date(now),
    progress: (fraction, note) => {
      reached.push({ fraction, note });
    },
    declared,
    reached,
    compensateWith: async (name, input) => {
      declared.push({ name, input });
    },
  };
}
