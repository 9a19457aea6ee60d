/** The adapter's promises, kept against an emulator with real requests and real state (not against Amazon's). */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { groundOf } from "../../../src/adapter/aws.js";
import { assumeRole } from "../../../src/adapter/aws-session.js";
import { systemClock } from "../../../src/base/clock.js";
import { SecretText } from "../../../src/base/secret-text.js";
import { withLogin } from "../../../src/runbook/aws/database-users.js";
import { FIRST_TAG, keepsItsPromises, NEXT_TAG, openAws, PLACE } from "../../contract/aws-cases.js";
import { faultOf, never } from "../../contract/delivery.js";
import {
  findMoto,
  MOTO_ACCOUNT,
  MOTO_CREDENTIALS,
  MOTO_REGION,
  type Moto,
  NEEDS_MOTO,
  startMoto,
} from "../../support/moto.js";
import { until } from "../../support/until.js";
import { makeDistribution, makeEstate } from "./moto-estate.js";

const moto = findMoto();
let server: Moto;
const access = () => ({
  region: MOTO_REGION,
  endpointUrl: server.url,
  credentials: MOTO_CREDENTIALS,
});
const open = () => openAws(access()).aws;

describe.skipIf(moto === null)(`${NEEDS_MOTO} the adapter of AWS`, () => {
  beforeAll(async () => {
    server = await startMoto(moto ?? "");
    await makeEstate(server.url, PLACE);
  });
  afterAll(() => server?.close());

  test("knows as whom it asks", async () => {
    expect(await open().identity()).toMatchObject({ account: MOTO_ACCOUNT });
  });

  keepsItsPromises(access);

  test("all services, and the revisions of one, the newest first", async () => {
    const { aws } = openAws(access());
    const names = (await aws.services()).map(({ name }) => name).sort();
    expect(names).toEqual(Object.keys(PLACE.services).sort());
    const revisions = await aws.revisions("algobrain-workers", 10);
    expect(revisions.map((one) => [one.revision, one.imageTag])).toEqual([
      [2, NEXT_TAG],
      [1, FIRST_TAG],
    ]);
  });

  test("scales: the number of tasks, and the limits between which it is scaled (X-11)", async () => {
    const aws = open();
    await aws.updateService({ service: "api", desired: 4 });
    expect(await aws.service("api")).toMatchObject({ desired: 4, running: 4 });
    expect(await aws.limits("api")).toEqual({
      min: 2,
      max: 10,
      policies: ["api-scaling"],
      suspended: false,
    });
    await aws.setLimits({ service: "api", min: 3, max: 9 });
    expect(await aws.limits("api")).toMatchObject({ min: 3, max: 9 });
    expect(await aws.limits("orchestrator")).toBeNull();
  });

  test("a task beside a service runs in its network, and is found again until it is forgotten", async () => {
    const aws = open();
    const { taskDefinition } = await aws.service("workers");
    const { task } = await aws.runTask({
      ...{ taskDefinition, command: ["db", "migrate"], service: "workers", key: "run-1/migrate" },
    });
    expect(await aws.task(task)).toMatchObject({ id: task, group: "family:algobrain-workers" });
    await aws.stopTask({ task, reason: "the test is over" });
    expect(await aws.task(task)).toMatchObject({ stoppedReason: "the test is over" });
    expect(await aws.task("f".repeat(32))).toBeNull();
  });

  test("images are told apart by their tag", async () => {
    const aws = open();
    expect(await aws.image("algobrain-api", FIRST_TAG)).toMatchObject({
      digest: expect.stringMatching(/^sha256:/),
    });
    expect(await aws.image("algobrain-api", NEXT_TAG)).toBeNull();
    expect(await faultOf(aws.image("algobrain-web", NEXT_TAG))).toMatchObject({
      code: "AWS_NOT_FOUND",
    });
  });

  test("the database: its state, its endpoint, its snapshots; a repeated snapshot is the same one", async () => {
    const aws = open();
    expect(await aws.databaseCluster()).toMatchObject({
      status: "available",
      masterUser: "migrator",
      readerEndpoint: null,
    });
    await aws.createSnapshot({ id: "before-run-1" });
    await aws.createSnapshot({ id: "before-run-1" });
    expect((await aws.snapshots(10)).filter(({ id }) => id === "before-run-1")).toHaveLength(1);
  });

  test("X-33: the login of the master user is read where RDS keeps it, and is an address together with another", async () => {
    const aws = open();
    const { masterSecret } = await aws.databaseCluster();
    expect(masterSecret).toMatch(/:secret:rds!cluster-/);
    const login = await aws.readSecret({ name: masterSecret ?? "" });
    const services = new SecretText("postgresql://algobrain_app_a:p@db.internal:5432/algobrain");
    const url = new URL(withLogin(services, login).reveal());
    // The emulator calls every master user so.
    expect([url.username, url.host, url.pathname]).toEqual([
      ...["admin", "db.internal:5432", "/algobrain"],
    ]);
    expect(decodeURIComponent(url.password).length).toBeGreaterThan(8);
  });

  test("the cache: its nodes, and a token that is taken", async () => {
    const aws = open();
    expect(await aws.cacheGroup()).toMatchObject({
      status: "available",
      nodeType: "cache.t4g.small",
    });
    const value = new SecretText("a-second-token-of-the-cache");
    await aws.setCacheToken({ value, strategy: "ROTATE" });
  });

  test("X-27: log groups with their days; the one that keeps its lines for ever is seen", async () => {
    const groups = await open().logGroups("/ecs/algobrain-");
    expect(Object.fromEntries(groups.map(({ name, days }) => [name, days]))).toEqual({
      "/ecs/algobrain-api": null,
      "/ecs/algobrain-executor": 30,
      "/ecs/algobrain-orchestrator": 30,
      "/ecs/algobrain-workers": 30,
    });
  });

  test("a query of logs is asked for and waited for", async () => {
    const query = {
      groups: ["/ecs/algobrain-api"],
      query: "fields @timestamp, @message | limit 5",
      limit: 5,
    };
    const window = { from: new Date("2026-11-22T00:00:00Z"), to: new Date("2026-11-22T01:00:00Z") };
    expect(await open().logQuery({ ...query, ...window })).toMatchObject({ truncated: false });
    const missing = { ...query, ...window, groups: ["/ecs/none"] };
    expect(await faultOf(open().logQuery(missing))).toMatchObject({ code: "AWS_NOT_FOUND" });
  });

  test("objects are put in order with their headers, listed, and deleted", async () => {
    const folder = await mkdtemp(join(tmpdir(), "algobrain-objects-"));
    await writeFile(join(folder, "a.js"), "1");
    const aws = open();
    const bucket = PLACE.bucketOf("frontend") ?? "";
    const file = (key: string) => ({
      key,
      path: join(folder, "a.js"),
      cache: "no-cache",
      type: "text/html",
    });
    expect(await aws.putObjects({ bucket, files: [file("assets/a.js"), file("index.html")] })).toBe(
      2,
    );
    expect(await aws.objects(bucket, "", 10)).toMatchObject([
      { key: "assets/a.js", bytes: 1 },
      { key: "index.html" },
    ]);
    expect(await aws.deleteObjects({ bucket, keys: ["assets/a.js"] })).toBe(1);
    expect(await aws.objects(bucket, "assets/", 10)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test("HB-aws-21: who may reach what is read from what is attached", async () => {
    const { task, database } = await open().securityGroups();
    expect(task).toHaveLength(1);
    expect(database).toEqual(task);
  });

  test("HB-aws-09: JobQueueDepth that was published is what the scaling policy will read", async () => {
    const { aws, signs } = openAws(access());
    const at = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 120_000);
    await signs.putMetrics("AlgoBrain", at, [{ name: "JobQueueDepth", value: 740, unit: "Count" }]);
    const points = await until(async () => {
      const window = [new Date(at.getTime() - 60_000), new Date(at.getTime() + 120_000)] as const;
      const found = await aws.metric("JobQueueDepth", ...window);
      return found.length > 0 && found;
    }, "the point is there");
    expect(points).toEqual([{ at, value: 740 }]);
    expect(await aws.alarms(["none-of-this-name"])).toEqual([]);
    await signs.close();
  });

  test("a CDN is found by the name that people call, and what it keeps is invalidated", async () => {
    const { aws, findDistribution } = openAws(access());
    expect(await findDistribution("dashboard.algobrain.doctor")).toBeNull();
    const distribution = await makeDistribution(server.url, "dashboard.algobrain.doctor");
    expect(await findDistribution("dashboard.algobrain.doctor")).toBe(distribution);
    const request = { distribution, paths: ["/index.html"], reference: "run-17" };
    const id = await aws.invalidate(request);
    expect(["InProgress", "Completed"]).toContain(await aws.invalidation(distribution, id));
  });

  test("a role is assumed with the policy of a run, and its credentials are those that ask", async () => {
    const ground = groundOf({
      ...{ access: access(), place: () => PLACE, signal: never(), clock: systemClock },
      onCall: () => {},
    });
    const policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });
    const roleArn = `arn:aws:iam::${MOTO_ACCOUNT}:role/algobrain-executor`;
    const credentials = await assumeRole(ground, { roleArn, name: "run-17", policy });
    const { aws } = openAws({ ...access(), credentials });
    expect((await aws.identity()).arn).toContain("assumed-role/algobrain-executor/run-17");
  });
});
