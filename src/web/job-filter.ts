/** How callers say which jobs they mean, in the query of the list and in the body of a bulk act (EP-04). */

import type { Static } from "typebox";
import { parseInstant } from "../base/instant.js";
import { Type } from "../base/type.js";
import { JOB_STATUSES, type JobStatus, parseJobId } from "../job/job.js";
import type { JobFilter } from "../store/job-filter.js";
import { misfit, type RequestPlace } from "./problem.js";

const Text = (description: string) =>
  Type.String({ minLength: 1, maxLength: 200, pattern: "^[^\\u0000-\\u001f]*$", description });
const Instant = (description: string) =>
  Type.String({ maxLength: 40, description, examples: ["2026-03-01T12:00:00Z"] });

export const JobIdText = Type.String({ pattern: "^job-[1-9]\\d{0,14}$", examples: ["job-123"] });

export const JOB_FILTER = {
  status: Type.Optional(Type.Unsafe<JobStatus>({ type: "string", enum: [...JOB_STATUSES] })),
  job_type: Type.Optional(Type.String({ pattern: "^[a-z][a-z0-9-]{0,63}$" })),
  since: Type.Optional(Instant("created then or later")),
  until: Type.Optional(Instant("created before")),
  error: Type.Optional(Text("how the error begins")),
  requested_by: Type.Optional(Text("such as api:ann or cli:ann")),
  parent: Type.Optional(JobIdText),
  priority: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })),
  unique_key: Type.Optional(Text("the whole key")),
};
export type AskedFilter = Static<ReturnType<typeof Type.Object<typeof JOB_FILTER>>>;

/** Throws `invalid-query` or `invalid-body` for a time that is none or an interval that holds nothing. */
export function readFilter(asked: AskedFilter, place: RequestPlace): JobFilter {
  const { status, job_type: kind, error: errorPrefix, requested_by: requestedBy, priority } = asked;
  const since = readInstant(asked.since, "since", place);
  const until = readInstant(asked.until, "until", place);
  if (since && until && until <= since) {
    throw misfit(place, pointerTo("until", place), "must be after since");
  }
  const parentSeq = parseJobId(asked.parent ?? "") ?? undefined;
  const uniqueKey = asked.unique_key;
  return { status, kind, since, until, errorPrefix, requestedBy, parentSeq, priority, uniqueKey };
}

function readInstant(
  text: string | undefined,
  name: string,
  place: RequestPlace,
): Date | undefined {
  if (text === undefined) return undefined;
  const instant = parseInstant(text);
  if (instant !== null) return instant;
  throw misfit(place, pointerTo(name, place), "must be a time such as 2026-03-01T12:00:00Z");
}

/** In a body the filter is one key of it. */
function pointerTo(name: string, place: RequestPlace): string {
  return place === "body" ? `/filter/${name}` : `/${name}`;
}
