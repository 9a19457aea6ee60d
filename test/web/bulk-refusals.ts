/** Bad input to what acts on many jobs or queues, or reads of them: a part of refusals.test.ts. */
import type { InjectOptions } from "fastify";
import type { Role } from "../../src/policy/policy.js";
import type { ProblemCode } from "../../src/web/problem.js";

export const JOBS = "/api/v1/jobs";

/** A claim: who asks for what, and the code of the refusal. */
export type Refusal = readonly [
  claim: string,
  role: Role | null,
  request: InjectOptions,
  code: ProblemCode,
  pointer?: string,
];

export const act = (url: string, payload?: object): InjectOptions => ({
  method: "POST",
  url,
  ...(payload ? { payload } : {}),
});
const bulk = (part: object) =>
  act(`${JOBS}/bulk`, { action: "retry", filter: { status: "failed" }, reason: "x", ...part });

export const BULK_REFUSALS: readonly Refusal[] = [
  [
    "a pause of all for more than a day",
    "admin",
    act("/api/queue/pause-all", { reason: "x", expires_in: "25h" }),
    "invalid-body",
    "/expires_in",
  ],
  ["a pause of all without a reason", "admin", act("/api/queue/pause-all", {}), "invalid-body"],
  [
    "an operator who pauses all",
    "operator",
    act("/api/queue/pause-all", { reason: "x" }),
    "forbidden",
  ],
  [
    "a clean of jobs that wait for a person",
    "admin",
    act("/api/queue/index/clean", { status: "quarantined" }),
    "invalid-body",
    "/status",
  ],
  [
    "a clean of running jobs",
    "admin",
    act("/api/queue/clean-all", { status: "running" }),
    "invalid-body",
    "/status",
  ],
  [
    "a clean without any grace",
    "admin",
    act("/api/queue/clean-all", { grace: "0s" }),
    "invalid-body",
    "/grace",
  ],
  ["a clean of an internal queue", "admin", act("/api/queue/runbook/clean"), "internal-job-type"],
  ["a bulk act on everything", "admin", bulk({ filter: {} }), "invalid-body", "/filter"],
  [
    "a bulk act on an internal type",
    "admin",
    bulk({ filter: { job_type: "notice" } }),
    "internal-job-type",
    "/filter/job_type",
  ],
  ["a bulk act that is none", "admin", bulk({ action: "delete" }), "invalid-body", "/action"],
  [
    "a bulk act since no time",
    "admin",
    bulk({ filter: { since: "yesterday" } }),
    "invalid-body",
    "/filter/since",
  ],
  ["a bulk act that nobody counted", "admin", bulk({ dry_run: false }), "invalid-body", "/confirm"],
  [
    "a bulk act with a made-up confirmation",
    "admin",
    bulk({ dry_run: false, confirm: "1-2-0123456789abcdef" }),
    "invalid-body",
    "/confirm",
  ],
  [
    "a cancel that is spread",
    "admin",
    bulk({ action: "cancel", spread: "1h" }),
    "invalid-body",
    "/spread",
  ],
  ["an operator who cancels in bulk", "operator", bulk({ action: "cancel" }), "forbidden"],
  ["an operator who retries in bulk without a rule", "operator", bulk({}), "forbidden"],
  [
    "an interval that holds nothing",
    "viewer",
    { method: "GET", url: `${JOBS}?since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z` },
    "invalid-query",
    "/until",
  ],
  [
    "a page with two sides",
    "viewer",
    { method: "GET", url: `${JOBS}?before=job-3&after=job-1` },
    "invalid-query",
    "/after",
  ],
  [
    "a text with NUL",
    "viewer",
    { method: "GET", url: `${JOBS}?error=%00` },
    "invalid-query",
    "/error",
  ],
  ["why of an unknown job", "viewer", { method: "GET", url: `${JOBS}/job-999/why` }, "not-found"],
  [
    "metrics of a year",
    "viewer",
    { method: "GET", url: "/api/telemetry/dashboard?window=365d" },
    "invalid-query",
    "/window",
  ],
  [
    "a test job of an internal type",
    "admin",
    act("/api/test/generate", { job_type: "notice" }),
    "internal-job-type",
  ],
];
