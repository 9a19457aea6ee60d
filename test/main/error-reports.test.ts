import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type Loopback,
  type LoopbackRequest,
  startLoopback,
} from "../../src/adapter/stand-in/loopback.js";
import { createErrorReports } from "../../src/main/error-reports.js";
import { createProcessLog } from "../../src/main/foundation.js";
import { readConfig } from "../../src/runtime/config.js";

let server: Loopback;
let requests: LoopbackRequest[];
beforeEach(async () => {
  requests = [];
  server = await startLoopback(async (request) => {
    requests.push(request);
    return { status: 200, body: {} };
  });
});
afterEach(() => server.close());

const configOf = (env: Record<string, string>) => {
  const read = readConfig(env);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
};

test("errors of the log reach Sentry without a secret in them, warnings do not (HB-env-29)", async () => {
  const SENTRY_DSN = `${server.url.replace("//", "//key@")}/7`;
  const config = configOf({ SENTRY_DSN, SLACK_BOT_TOKEN: "xoxb-hidden-word" });
  const reports = createErrorReports(config, () => {});
  const lines: string[] = [];
  const log = createProcessLog(config, (line) => lines.push(line), "api", reports?.onError);
  log.warn("samples.missing", { error: "away" });
  log.child({ job_id: "job-7" }).error("job.failed", { error: "xoxb-hidden-word", code: "BROKEN" });
  await reports?.flush();
  expect(requests).toHaveLength(1);
  const event = JSON.parse(requests[0]!.body.split("\n")[2]!);
  expect(event).toMatchObject({
    ...{ logger: "job.failed", environment: "local", extra: { job_id: "job-7", role: "api" } },
    exception: { values: [{ type: "BROKEN" }] },
  });
  expect(requests[0]!.body).not.toContain("hidden-word");
  expect(lines).toHaveLength(2);
});

test("without a DSN nothing is sent", () => {
  expect(createErrorReports(configOf({}), () => {})).toBeNull();
});
