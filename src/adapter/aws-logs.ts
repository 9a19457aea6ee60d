/** CloudWatch Logs: groups with their retention, and queries of Logs Insights. */
import { Fault, fault } from "../base/fault.js";
import type { AwsReader, LogQuery } from "../runbook/aws-port.js";
import { type AwsGround, pages, send } from "./aws-clients.js";

const POLL_MS = 500;
/** Insights itself gives up after an hour; who is on call does not wait as long. */
const QUERY_MS = 60_000;
/** For the word that nobody wants the answer any more. */
const STOP_MS = 5_000;

export function createLogs(ground: AwsGround): Pick<AwsReader, "logGroups" | "logQuery"> {
  return {
    logGroups: (prefix) => readGroups(ground, prefix),
    logQuery: (query) => runQuery(ground, query),
  };
}

async function readGroups(ground: AwsGround, logGroupNamePrefix: string) {
  const { DescribeLogGroupsCommand } = await import("@aws-sdk/client-cloudwatch-logs");
  const groups = await pages(
    (nextToken) =>
      send(
        ground,
        "logs",
        new DescribeLogGroupsCommand({ logGroupNamePrefix, ...(nextToken && { nextToken }) }),
        { target: logGroupNamePrefix },
      ),
    ({ logGroups, nextToken }) => ({ items: logGroups, next: nextToken }),
  );
  return groups.map(({ logGroupName = "", retentionInDays = null }) => ({
    ...{ name: logGroupName, days: retentionInDays },
  }));
}

async function runQuery(ground: AwsGround, query: LogQuery) {
  const { StartQueryCommand } = await import("@aws-sdk/client-cloudwatch-logs");
  const target = query.groups.join(",");
  const command = new StartQueryCommand({
    logGroupNames: [...query.groups],
    // In whole seconds.
    startTime: Math.floor(query.from.getTime() / 1_000),
    endTime: Math.ceil(query.to.getTime() / 1_000),
    queryString: query.query,
    // One more than is wanted tells whether there are more.
    limit: query.limit + 1,
  });
  const { queryId } = await send(ground, "logs", command, { target });
  if (queryId === undefined) throw fault.transient("AWS_ANSWER_INVALID", "it gave no query id");
  try {
    return await answerOf(ground, queryId, { target, limit: query.limit });
  } catch (error) {
    await stopQuery(ground, queryId, target);
    throw error;
  }
}

async function answerOf(
  ground: AwsGround,
  queryId: string,
  { target, limit }: { readonly target: string; readonly limit: number },
) {
  const { GetQueryResultsCommand } = await import("@aws-sdk/client-cloudwatch-logs");
  for (let waitedMs = 0; waitedMs <= QUERY_MS; waitedMs += POLL_MS) {
    const answer = await send(ground, "logs", new GetQueryResultsCommand({ queryId }), { target });
    const { status = "Unknown", results = [], statistics } = answer;
    if (status === "Complete")
      return {
        rows: results.slice(0, limit).map(rowOf),
        scanned: statistics?.bytesScanned ?? null,
        truncated: results.length > limit,
      };
    if (status !== "Running" && status !== "Scheduled")
      throw fault.data("AWS_QUERY_FAILED", `the query over ${target} ended as ${status}`, {
        hint: "ask for a shorter window or fewer groups",
      });
    await ground.clock.sleep(POLL_MS, ground.signal);
  }
  throw fault.transient("AWS_QUERY_TIMED_OUT", `no answer of the query within ${QUERY_MS} ms`, {
    hint: "ask for a shorter window or fewer groups",
  });
}

/** Without `@ptr`, which leads to the whole line and says nothing to people. */
function rowOf(fields: readonly { field?: string; value?: string }[]): Record<string, string> {
  return Object.fromEntries(
    fields.flatMap(({ field, value }) =>
      field === undefined || value === undefined || field === "@ptr" ? [] : [[field, value]],
    ),
  );
}

/** It is paid by what it reads. Also when the run was stopped, so not with its signal. */
async function stopQuery(ground: AwsGround, queryId: string, target: string): Promise<void> {
  const { StopQueryCommand } = await import("@aws-sdk/client-cloudwatch-logs");
  const stopping = { ...ground, signal: AbortSignal.timeout(STOP_MS) };
  try {
    await send(stopping, "logs", new StopQueryCommand({ queryId }), { target });
  } catch (error) {
    // The record of the call says so; the failure of the query itself is the one that matters.
    if (!(error instanceof Fault)) throw error;
  }
}
