/** Decides whether a caller may have the job that was asked for: all reasons to refuse, none of the doing. */
import { DAY_MS } from "../base/duration.js";
import { parseInstant } from "../base/instant.js";
import type { JsonObject } from "../base/json.js";
import { didYouMean } from "../base/similar.js";
import { type KindRegistry, PUBLIC_KINDS } from "../job/kinds.js";
import { isAtLeast } from "../policy/policy.js";
import { roleToPost } from "./access.js";
import { type Finding, HttpProblem, misfit } from "./problem.js";
import type { Caller } from "./token.js";
import { toErrors } from "./validator.js";

/** Later than this is a typing error in the year. */
const AHEAD_MAX_MS = 366 * DAY_MS;

/** Throws `unknown-job-type`, `internal-job-type`, `forbidden` or `invalid-payload`, in this order. */
export function checkKind(registry: KindRegistry, kind: string, caller: Caller): void {
  const spec = registry.get(kind);
  if (!spec) {
    const known = registry.names("general");
    const hint = didYouMean(kind, known) ?? `known are ${known.join(", ")}`;
    throw new HttpProblem(
      "unknown-job-type",
      `There is no job type ${JSON.stringify(kind)}; ${hint}.`,
      {
        errors: [{ pointer: "/job_type", message: hint }],
      },
    );
  }
  if (spec.lane !== "general") {
    throw new HttpProblem(
      "internal-job-type",
      `Jobs of type ${kind} are made by the runtime only.`,
      {
        errors: [{ pointer: "/job_type", message: `must be one of ${PUBLIC_KINDS.join(", ")}` }],
      },
    );
  }
  const needed = roleToPost(kind);
  if (!isAtLeast(caller.role, needed)) {
    throw new HttpProblem(
      "forbidden",
      `Jobs of type ${kind} need the role ${needed}; your token says ${caller.role}.`,
    );
  }
}

export function checkPayload(registry: KindRegistry, kind: string, payload: JsonObject): void {
  const errors = toErrors(registry.checkPayload(kind, payload), "/payload");
  const findings = errors.length > 0 ? errors : checkDates(payload);
  if (findings.length === 0) return;
  throw new HttpProblem("invalid-payload", `The payload does not fit the job type ${kind}.`, {
    errors: findings,
  });
}

/** A schema cannot compare two values: a range that ends before it begins would do nothing, silently. */
function checkDates(payload: JsonObject): Finding[] {
  const { start_date: start, end_date: end } = payload;
  if (typeof start !== "string" || typeof end !== "string" || start <= end) return [];
  return [{ pointer: "/payload/end_date", message: "must not be before start_date" }];
}

/** An instant at most a year ahead, undefined for now. Throws `invalid-body`. */
export function readScheduledAt(text: string | undefined, now: Date): Date | undefined {
  if (text === undefined) return undefined;
  const instant = parseInstant(text);
  if (instant === null) throw badSchedule("must be a time such as 2026-03-01T12:00:00Z");
  if (instant.getTime() - now.getTime() > AHEAD_MAX_MS) {
    throw badSchedule("must be at most a year ahead");
  }
  return instant;
}

function badSchedule(message: string): HttpProblem {
  return misfit("body", "/scheduled_at", message);
}
