/**
 * Saved queries of CloudWatch Logs Insights over our JSON lines: laid out by the stacks, asked by the runbook query-logs
 * (HB-log-01…03, LB-cli-08, AL-cli-08). They filter by fields that our lines have, never by words in a message, and
 * what they count has a name by which it is sorted. The window is the asker's.
 */
import { formatDuration } from "../../base/duration.js";
import type { SavedQueries } from "../../policy/policy.js";

export interface LogQueryDefinition {
  readonly name: string;
  /** For lists and help. */
  readonly title: string;
  readonly text: string;
}

/** Stands in `by-request-id` for the id that is looked for: whoever asks puts it there. */
export const REQUEST_ID = "REQUEST_ID";

export function logQueries(limits: SavedQueries): readonly LogQueryDefinition[] {
  return [...listing(limits), ...COUNTING];
}

function listing({ lines: most, requestLines, slowMs }: SavedQueries): LogQueryDefinition[] {
  return [
    {
      name: "errors",
      title: "the newest errors of all services",
      text: lines(
        "fields @timestamp, @message",
        'filter level = "error"',
        "sort @timestamp desc",
        `limit ${most}`,
      ),
    },
    {
      name: "by-request-id",
      title: "every line of one request, in order",
      text: lines(
        "fields @timestamp, @message",
        `filter request_id = "${REQUEST_ID}"`,
        "sort @timestamp asc",
        `limit ${requestLines}`,
      ),
    },
    {
      name: "slow-requests",
      title: `requests that took more than ${formatDuration(slowMs)}, slowest first`,
      text: lines(
        "fields @timestamp, method, route, status, duration_ms, request_id",
        `filter event = "request.answered" and duration_ms > ${slowMs}`,
        "sort duration_ms desc",
        `limit ${most}`,
      ),
    },
  ];
}

/** By kind of job; the dashboard shows its first. */
export const FAILURES_BY_TYPE: LogQueryDefinition = {
  name: "failures-by-type",
  title: "which kinds of jobs fail, most first",
  text: lines(
    'filter level = "error" and ispresent(worker_id)',
    "stats count(*) as failures by job_type",
    "sort failures desc",
  ),
};

const COUNTING: readonly LogQueryDefinition[] = [
  FAILURES_BY_TYPE,
  {
    name: "healing",
    title: "what healing did, by strategy and success",
    text: lines(
      'filter event = "healdec.acted"',
      "stats count(*) as actions by strategy, success",
      "sort actions desc",
    ),
  },
  {
    name: "errors-by-endpoint",
    title: "which routes answer 5xx, most first",
    text: lines(
      'filter event = "request.answered" and status >= 500',
      "stats count(*) as errors by method, route",
      "sort errors desc",
    ),
  },
];

function lines(...commands: readonly string[]): string {
  return commands.join("\n| ");
}
