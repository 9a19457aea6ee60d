/** Runbooks that only look at AWS, against a made-up account, with the power that they declare. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import diagnoseDbConnectivity from "../../runbooks/diagnose-db-connectivity.js";
import queryLogs from "../../runbooks/query-logs.js";
import verifyLogGroups from "../../runbooks/verify-log-groups.js";
import { logQueries, REQUEST_ID } from "../../src/alert/outlet/log-queries.js";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { MONITORING_DEFAULTS } from "../../src/policy/defaults.js";
import { lookAtRules } from "../../src/runbook/aws/reach-rules.js";
import { fillQuery } from "../../src/runbook/aws/saved-query.js";
import { type AwsWorld, makeAwsWorld } from "../support/aws-world.js";
import { openGround, type RunbookGround, rehearse } from "../support/runbook.js";
import { makeRegistry } from "../support/runbook-world.js";

const LOG_QUERIES = logQueries(MONITORING_DEFAULTS.queries);

const QUERIES = Object.fromEntries(LOG_QUERIES.map(({ name, text }) => [name, text]));

let ground: RunbookGround;
let world: AwsWorld;
beforeAll(async () => {
  ground = await openGround(makeRegistry(queryLogs, verifyLogGroups, diagnoseDbConnectivity));
});
afterAll(() => ground.drop());
beforeEach(() => {
  world = makeAwsWorld({ place: { queries: QUERIES }, now: () => systemClock.now() });
});

const run = async (name: string, params: JsonObject = {}) => {
  const { aws } = world;
  const other = { openAws: async () => ({ aws, close: async () => {} }) };
  const { run: ended, steps, changed } = await rehearse(ground, name, { params, other });
  expect(changed).toEqual([]);
  const tables = steps.filter(({ phase }) => phase === "act").map(({ result }) => result);
  return { ...ended, table: tables[0], tables };
};

describe("query-logs", () => {
  test("answers with the rows, how many, and what was read", async () => {
    const rows: Record<string, string>[] = [
      { "@timestamp": "2026-11-22 12:00:00.000", "@message": "x".repeat(400), "@ptr": "p1" },
      { "@timestamp": "2026-11-22 12:00:01.000", extra: "2", "@ptr": "p2" },
    ];
    world.logRows.set(QUERIES.errors!, rows);
    const { outcome, table } = await run("query-logs", { query: "errors" });
    expect(outcome).toBe("2 rows of the last 1h; 2 KiB were read");
    expect(table).toMatchObject({
      table: {
        columns: ["@timestamp", "@message", "extra"],
        rows: [
          ["2026-11-22 12:00:00.000", `${"x".repeat(300)}…`, ""],
          ["2026-11-22 12:00:01.000", "", "2"],
        ],
      },
    });
  });

  test("more rows than asked for are said to be there", async () => {
    world.logRows.set(QUERIES.healing!, Array(3).fill({ strategy: "retry" }));
    const { outcome } = await run("query-logs", { query: "healing", rows: 2 });
    expect(outcome).toContain("2 rows of the last 1h, and there are more");
  });

  test("no row is an answer too", async () => {
    const { outcome, status } = await run("query-logs", { query: "slow-requests", window: "24h" });
    expect([status, outcome]).toEqual(["succeeded", "0 rows of the last 24h; 0 bytes were read"]);
  });

  test("one request is looked for by its id (HB-log-03)", async () => {
    const text = QUERIES["by-request-id"]!.replaceAll(REQUEST_ID, "req-42");
    world.logRows.set(text, [{ "@message": "found" }]);
    const { outcome } = await run("query-logs", { query: "by-request-id", request: "req-42" });
    expect(outcome).toContain("1 rows");
    expect(text).toContain('"req-42"');
  });

  test.each([
    [
      "a query that there is not",
      { query: "all-of-it" },
      'found "all-of-it", expected one of errors',
    ],
    ["a property of all objects", { query: "constructor" }, 'found "constructor"'],
    ["no id for one request", { query: "by-request-id" }, "by-request-id looks for one request"],
    ["an id where none is looked for", { query: "errors", request: "r" }, "no single request"],
    [
      "a window of days",
      { query: "errors", window: "2d" },
      "found 2d, expected between 1m and 24h",
    ],
    ["no window at all", { query: "errors", window: "0s" }, "found 0s"],
  ])("refuses %s before it asks", async (_what, params, outcome) => {
    expect(await run("query-logs", params)).toMatchObject({
      status: "failed",
      outcome: expect.stringContaining(outcome),
    });
    expect(world.verbs()).not.toContain("logQuery");
  });

  test.each(['x" | limit 10000', "a b", "x".repeat(65), "", "é", "x\n"])(
    "an id cannot say more than an id: %j",
    (id) => {
      expect(() => fillQuery({ queries: QUERIES }, "by-request-id", id)).toThrow(
        "expected 1 to 64",
      );
    },
  );

  test("each saved query can be asked, and only one looks for a request (HB-log-01, HB-log-02, LB-cli-08)", () => {
    const taking = LOG_QUERIES.filter(({ text }) => text.includes(REQUEST_ID));
    expect(taking.map(({ name }) => name)).toEqual(["by-request-id"]);
    for (const { name } of LOG_QUERIES) {
      const id = name === "by-request-id" ? "abc" : undefined;
      expect(fillQuery({ queries: QUERIES }, name, id)).not.toContain(REQUEST_ID);
    }
  });
});

describe("verify-log-groups", () => {
  test("all groups with the days of the policy (HB-aws-18)", async () => {
    const { status, outcome } = await run("verify-log-groups");
    expect([status, outcome]).toEqual(["succeeded", "4 log groups are as the policy says"]);
  });

  test("what is missing, keeps for ever or too short is named, with what was expected", async () => {
    world.logGroups.delete("/ecs/algobrain-api");
    world.logGroups.set("/ecs/algobrain-workers", null);
    world.logGroups.set("/ecs/algobrain-executor", 7);
    const { status, outcome } = await run("verify-log-groups");
    expect(status).toBe("failed");
    for (const words of [
      "3 of 4 log groups",
      "/ecs/algobrain-api: found there is no such group",
      "/ecs/algobrain-workers: found for ever, expected 30 days",
      "/ecs/algobrain-executor: found 7 days",
    ])
      expect(outcome).toContain(words);
  });

  test("a group of another environment or of a stranger is shown and is no failure", async () => {
    world.logGroups.set("/ecs/algobrain-staging-api", 7);
    const { status, table } = await run("verify-log-groups");
    expect(status).toBe("succeeded");
    expect(JSON.stringify(table)).toContain("/ecs/algobrain-staging-api");
  });
});

describe("diagnose-db-connectivity", () => {
  const rule = (port: number, who: { groups?: string[]; cidrs?: string[] }, protocol = "tcp") => ({
    ...{ from: port, to: port, protocol, groups: who.groups ?? [], cidrs: who.cidrs ?? [] },
  });
  test("looks at rules and states, and from a task with the program of the service and no address (X-30)", async () => {
    const { status, outcome } = await run("diagnose-db-connectivity", { service: "workers" });
    expect([status, outcome]).toEqual(["succeeded", "the way is free, and a task goes it"]);
    expect(world.services.commands).toEqual([["doctor", "--json"]]);
    expect(world.verbs()).not.toContain("readSecret");
  });

  test.each([
    ["no rule", [], "tasks (sg-task) may not reach port 5432"],
    ["another port", [rule(5_433, { groups: ["sg-task"] })], "sg-task at port 5433"],
    [
      "the world too",
      [rule(5_432, { groups: ["sg-task"] }), rule(5_432, { cidrs: ["0.0.0.0/0"] })],
      "0.0.0.0/0 at port 5432",
    ],
    ["another group too", [rule(5_432, { groups: ["sg-task", "sg-else"] })], "sg-else"],
    ["every protocol", [rule(-1, { groups: ["sg-task"] }, "-1")], "sg-task at every port"],
  ])("says what is wrong with %s (HB-aws-21)", (_what, rules, words) => {
    const groups = { ...world.groups, database: [{ id: "sg-database", ingress: rules }] };
    const [database, cache] = lookAtRules(groups);
    expect(database).toMatchObject({ isWell: false, found: expect.stringContaining(words) });
    expect(cache).toMatchObject({ isWell: true, found: "only tasks reach port 6379" });
  });

  test("a rule that is wrong fails the run, and the other looks are taken all the same", async () => {
    world.groups.database = [];
    const { status, outcome } = await run("diagnose-db-connectivity");
    expect(status).toBe("failed");
    expect(outcome).toContain("database: no security group is attached");
    expect(world.services.commands).toHaveLength(1);
  });

  test("a task that cannot reach what it needs says what it found", async () => {
    world.services.fateOf("api").exitCode = 1;
    const query = 'fields @message | filter @logStream like "task-1" | sort @timestamp asc';
    world.logRows.set(query, [{ "@message": "database: no answer within 5 s" }]);
    const { status, outcome } = await run("diagnose-db-connectivity");
    expect(status).toBe("failed");
    expect(outcome).toContain("task beside api: it ended with 1");
    expect(outcome).toContain("no answer within 5 s");
  });

  test("a database that is not available, and a cache that changes, are named", async () => {
    world.database = { ...world.database, status: "failing-over", members: [] };
    world.cache = { ...world.cache, status: "modifying", pending: true };
    const { outcome } = await run("diagnose-db-connectivity");
    expect(outcome).toContain("the cluster is failing-over, it has no writer");
    expect(outcome).toContain("the cache of 2 nodes is modifying, a change waits");
  });

  test("a service that there is not is refused before a task begins", async () => {
    const { outcome } = await run("diagnose-db-connectivity", { service: "web" });
    expect(outcome).toContain('found "web", expected one of');
    expect(world.services.commands).toEqual([]);
  });
});
