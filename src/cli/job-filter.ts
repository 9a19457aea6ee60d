/** Which jobs are meant on a command line: the filters of the API, in the words of the terminal. */
import { parseDuration } from "../base/duration.js";
import { parseInstant } from "../base/instant.js";
import { JOB_STATUSES, parseJobId } from "../job/job.js";
import { INTERNAL_KINDS, PUBLIC_KINDS } from "../job/kinds.js";
import type { JobFilter } from "../store/job-filter.js";
import type { JobPage } from "../store/job-list.js";
import { oneOf, UsageError } from "./arguments.js";

const LIST_MAX = 200;

export const FILTER_USAGE =
  "[--status STATUS] [--type TYPE] [--since TIME] [--until TIME] [--error START] [--by WHO] [--parent ID] [--priority N] [--key KEY]";
export const PAGE_USAGE = `${FILTER_USAGE} [--before ID] [--limit 20]`;

export const FILTER_OPTIONS = {
  status: { type: "string" },
  type: { type: "string" },
  since: { type: "string" },
  until: { type: "string" },
  error: { type: "string" },
  by: { type: "string" },
  parent: { type: "string" },
  priority: { type: "string" },
  key: { type: "string" },
} as const;
export const PAGE_OPTIONS = {
  ...FILTER_OPTIONS,
  before: { type: "string" },
  limit: { type: "string", default: "20" },
} as const;

export type FilterValues = { readonly [K in keyof typeof FILTER_OPTIONS]?: string };

/** Throws a UsageError that says what was expected. */
export function readFilter(values: FilterValues, now: Date): JobFilter {
  const { status, type, since, until, parent, priority } = values;
  return {
    status: status === undefined ? undefined : oneOf("--status", status, JOB_STATUSES),
    kind:
      type === undefined ? undefined : oneOf("--type", type, [...PUBLIC_KINDS, ...INTERNAL_KINDS]),
    since: since === undefined ? undefined : readTime("--since", since, now),
    until: until === undefined ? undefined : readTime("--until", until, now),
    errorPrefix: values.error,
    requestedBy: values.by,
    parentSeq: parent === undefined ? undefined : readJobId(parent),
    uniqueKey: values.key,
    priority: priority === undefined ? undefined : readWhole("--priority", priority, 10),
  };
}

export function readPage(
  values: FilterValues & { readonly before?: string; readonly limit: string },
  now: Date,
): JobPage {
  const { before, limit, ...filter } = values;
  return {
    ...readFilter(filter, now),
    beforeSeq: before === undefined ? undefined : readJobId(before),
    limit: readWhole("--limit", limit, LIST_MAX),
  };
}

export function readJobId(text: string): number {
  const seq = parseJobId(text);
  if (seq === null) throw new UsageError(`found "${text}", expected a job id such as job-123`);
  return seq;
}

function readTime(option: string, text: string, now: Date): Date {
  const agoMs = parseDuration(text);
  const time = agoMs === null ? parseInstant(text) : new Date(now.getTime() - agoMs);
  if (time !== null) return time;
  throw new UsageError(
    `${option}: found "${text}", expected a time such as 2026-03-01T12:00:00Z, or how long ago, such as 24h`,
  );
}

function readWhole(option: string, text: string, max: number): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= max) return value;
  throw new UsageError(`${option}: found "${text}", expected 1 to ${max}`);
}
