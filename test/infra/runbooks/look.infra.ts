/** Runbooks that only look, through the real executor and adapter against an emulator of AWS: real groups, tasks and lines. */
import {
  CloudWatchLogsClient,
  CreateLogStreamCommand,
  PutLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import diagnoseDbConnectivity from "../../../runbooks/diagnose-db-connectivity.js";
import queryLogs from "../../../runbooks/query-logs.js";
import { logQueries } from "../../../src/alert/outlet/log-queries.js";
import { systemClock } from "../../../src/base/clock.js";
import type { JsonObject } from "../../../src/base/json.js";
import { MONITORING_DEFAULTS } from "../../../src/policy/defaults.js";
import { setStopRow } from "../../../src/store/stop-switch.js";
import { makeAwsPlace } from "../../support/aws-world-place.js";
import { findMoto, NEEDS_MOTO } from "../../support/moto.js";
import { rehearse } from "../../support/runbook.js";
import { MotoGround } from "./moto-ground.js";
import { makeReached } from "./reach-estate.js";

const LOG_QUERIES = logQueries(MONITORING_DEFAULTS.queries);

const program = findMoto();
const queries = Object.fromEntries(LOG_QUERIES.map(({ name, text }) => [name, text]));
const place = makeAwsPlace({ queries });
const REACHED = "algobrain-reached";

let moto: MotoGround;
const run = async (name: string, params: JsonObject = {}) => {
  const {
    run: ended,
    steps,
    changed,
  } = await rehearse(moto.ground, name, {
    ...{ params, other: moto.other() },
  });
  expect(changed).toEqual([]);
  return { ...ended, steps };
};

async function putLines(group: string, lines: readonly object[]): Promise<void> {
  const logs = new CloudWatchLogsClient(moto.settings());
  const stream = { logGroupName: group, logStreamName: "api/1" };
  await logs.send(new CreateLogStreamCommand(stream));
  const timestamp = systemClock.now().getTime() - 60_000;
  const logEvents = lines.map((line, at) => ({
    ...{ timestamp: timestamp + at, message: JSON.stringify(line) },
  }));
  await logs.send(new PutLogEventsCommand({ ...stream, logEvents }));
}

const reachedAt = (id: string, port: number, from: string) => ({
  id,
  ingress: [{ from: port, to: port, protocol: "tcp", groups: [from], cidrs: [] }],
});

describe.skipIf(program === null)(`${NEEDS_MOTO} runbooks that look`, () => {
  beforeAll(async () => {
    moto = await MotoGround.open(program ?? "", place, [diagnoseDbConnectivity, queryLogs]);
    await putLines("/ecs/algobrain-api", [
      { level: "error", event: "request.failed", request_id: "req-1" },
      { level: "info", event: "request.done", request_id: "req-2" },
    ]);
    await moto.endTasksAfter(1);
  });
  afterAll(() => moto?.close());

  test("HB-op-42, HB-aws-21: groups that let no task in are found, and the task that looks runs to its end", async () => {
    const ended = await run("diagnose-db-connectivity", { service: "api" });
    expect(ended.status).toBe("failed");
    expect(ended.outcome).toMatch(/database: tasks \(sg-\w+\) may not reach port 5432/);
    expect(ended.outcome).toContain("it has no writer");
    const [probe] = moto.asked("RunTask");
    expect(probe).toMatchObject({ status: "ok", target: "algobrain-prod/algobrain-api" });
  });

  test("HB-cli-36, X-30: where only tasks reach both, and a task reaches all it needs, it is well", async () => {
    const [task] = (await moto.open().aws.securityGroups()).task;
    const cache = await makeReached(moto, REACHED, task?.id ?? "");
    moto.cacheGroups = [reachedAt(cache, 6_379, task?.id ?? "")];
    moto.place = { ...place, databaseCluster: REACHED, cacheGroup: REACHED };
    const before = moto.asked("RunTask").length;
    const ended = await run("diagnose-db-connectivity", { service: "workers" });
    expect(ended).toMatchObject({ status: "succeeded", verified: true });
    expect(ended.outcome).toContain("the way is free, and a task goes it");
    const said = ended.steps.map(({ result }) => JSON.stringify(result)).join(" ");
    expect(said).toContain("only tasks reach port 5432");
    expect(said).toContain("only tasks reach port 6379");
    expect(said).toContain("it reaches all that it needs");
    expect(moto.asked("RunTask").length - before).toBe(1);
    moto.place = place;
  });

  test("HB-log-01, HB-op-12: the rows of a saved query are lines that services wrote", async () => {
    const ended = await run("query-logs", { query: "errors", window: "1h" });
    expect(ended.status).toBe("succeeded");
    const { columns = [], rows = [] } = ended.output?.table ?? {};
    expect(columns).toEqual(["@timestamp", "@message"]);
    expect(rows.map((row) => JSON.parse(row[1] ?? "null").event)).toContain("request.failed");
    const [asked] = moto.asked("StartQuery");
    expect(asked?.keys).toEqual(["logGroupNames", "startTime", "endTime", "queryString", "limit"]);
  });

  test.each(LOG_QUERIES.map(({ name }) => name))(
    "HB-log-02, LB-cli-08: %s is taken",
    async (name) => {
      const request: JsonObject = name === "by-request-id" ? { request: "req-1" } : {};
      const ended = await run("query-logs", { query: name, ...request });
      expect(ended.status).toBe("succeeded");
    },
  );

  test("what the emulator does not know: the groups of a cache. When this fails it tells them, and none need be made up", async () => {
    moto.place = { ...place, cacheGroup: REACHED };
    expect((await moto.openPlain().aws.securityGroups()).cache).toEqual([]);
    moto.place = place;
  });

  test("what the emulator does not know: it passes over filters and sums, and tells no bytes. When this fails it has learned them, and the rows above can be counted", async () => {
    const to = systemClock.now();
    const window = { from: new Date(to.getTime() - 3_600_000), to, limit: 10 };
    const groups = ["/ecs/algobrain-api"];
    const ask = (query: string) => moto.open().aws.logQuery({ groups, query, ...window });
    const none = await ask('fields @message | filter level = "none of this level"');
    expect(none.rows).toHaveLength(2);
    expect(none.scanned).toBeNull();
    const [sum] = (await ask("stats count(*) as lines")).rows;
    expect(sum?.lines).toBeUndefined();
  });

  test("while all is stopped it looks all the same, with a task of its own", async () => {
    await setStopRow(moto.ground.db, { by: "ann", reason: "fire" });
    const before = moto.asked("RunTask").length;
    await run("diagnose-db-connectivity", { service: "api" });
    expect(moto.asked("RunTask").length - before).toBe(1);
  });
});
