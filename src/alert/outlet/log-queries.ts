/**
 * Saved queries of CloudWatch Logs Insights over our JSON lines: laid out by the stacks, asked by the runbook query-logs
 * (HB-log-01…03, LB-cli-08). Each groups by names of fields, and counts under a name.
 */

export interface LogQueryDefinition {
  readonly name: string;
  /** For lists and help. */
  readonly title: string;
  readonly text: string;
}

export const LOG_QUERIES: readonly LogQueryDefinition[] = [
  {
    name: "errors",
    title: "the newest errors of all services",
    text: 'fields @timestamp, event, role, error, request_id\n| filter level = "error"\n| sort @timestamp desc\n| limit 100',
  },
];
